"""Names of bases: a registry that is asked about each answers as a look at all its entries does."""

from itertools import product
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tensorguard.licences.declared import Directory, Lookup
from tensorguard.registry.entry import Entry, Facts
from tensorguard.registry.registry import Registry
from tensorguard.registry.rows import Row

PUBLISHERS = ("", "org/", "ORG/", "meta-llama/", "NousResearch/", "mirror\\")
MODELS = (
    "Meta-Llama-3-8B",
    "llama-3-8b",
    "llama_3  8B-GGUF",
    "Llama-3-8B-Instruct",
    "x",
    "É-base",
    "é-base",
    "ｌlama",
    "100%_a",
)
NAMES = tuple("".join(parts) for parts in product(PUBLISHERS, MODELS))
FORMS = ("{}", "https://huggingface.co/{}/tree/main", "{}@v1", " {} ", "{}-bnb-4bit", "{}-awq-int4")


@settings(max_examples=60, deadline=None)
@given(
    entries=st.lists(
        st.tuples(st.sampled_from(NAMES), st.sampled_from(("", *NAMES))), max_size=8, unique_by=lambda each: each[0]
    ),
    asked=st.lists(st.tuples(st.sampled_from(FORMS), st.sampled_from(NAMES)), min_size=1, max_size=8),
)
def test_a_lookup_answers_as_a_directory_of_everything(
    tmp_path_factory: object, entries: list[tuple[str, str]], asked: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("known")  # type: ignore[attr-defined]
    known = [Entry(name, "public", Facts(repository=repository)) for name, repository in entries]
    with Registry(folder, create=True) as registry:
        registry.insert(map(Row, known))
        whole, lookup = Directory(known), Lookup(registry)
        for form, name in asked:
            found, exact = lookup.matching(form.format(name))
            expected, same = whole.matching(form.format(name))
            assert (set(found), exact) == (set(expected), same)


def test_a_check_reads_only_the_entries_that_a_name_may_mean(tmp_path: Path) -> None:
    with Registry(tmp_path / "known", create=True) as registry:
        registry.insert(Row(Entry(f"org/other-{at}", "public")) for at in range(50))
        registry.insert([Row(Entry("org/base", "public")), Row(Entry("broken", "public"))])
        with registry._database.writing() as connection:
            connection.execute("UPDATE entry SET facts = '{' WHERE name LIKE 'org/other%'")
        assert [entry.name for entry in Lookup(registry).matching("org/Base-GGUF")[0]] == ["org/base"]
        assert registry.notices == ()  # what is not looked at cannot be left out
