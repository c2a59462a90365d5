"""The shipped catalogue holds together, and users' own files are read strictly."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorguard.errors import InputError, NotFoundError
from tensorguard.licences.licence import identify
from tensorguard.registry.catalogue import COLUMNS, RELATIONS, Known, catalogue, known, read_catalogue

ROWS = catalogue()
WIDELY_DERIVED_FROM = {
    "LLaMA", "Llama 2", "Code Llama", "Llama 3", "Llama 3.1", "Llama 3.2", "Llama 3.3", "Llama 4", "Qwen", "Qwen1.5",
    "Qwen2", "Qwen2.5", "Qwen3", "Gemma", "Gemma 2", "Gemma 3", "Phi", "Phi-3", "Phi-4", "Mistral", "Mixtral",
    "Ministral 3", "Codestral", "DeepSeek", "DeepSeek-V2", "DeepSeek-V3", "DeepSeek-R1", "Yi", "Falcon", "OLMo", "OLMo 2",
    "GLM-4", "InternLM2", "Granite 3", "Nemotron", "SmolLM", "SmolLM2", "StarCoder", "StarCoder2", "Command", "Aya",
    "Baichuan 2", "MPT", "DBRX", "GPT-2", "GPT-Neo", "GPT-J", "GPT-NeoX", "Pythia", "BLOOM", "BLOOMZ", "OPT", "BERT",
    "RoBERTa", "DistilBERT", "T5", "gpt-oss", "Kimi", "MiniMax", "StableLM", "SOLAR", "TinyLlama", "OpenLLaMA",
    "RedPajama-INCITE", "Zephyr",
}  # fmt: skip

PUBLISHED_AFTER_ITS_CHILD = "mistral-community/Mistral-7B-v0.2"


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "mine.tsv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_it_covers_the_families_that_others_derive_from() -> None:
    assert len(ROWS) >= 200
    families = {row.family for row in ROWS}
    assert families >= WIDELY_DERIVED_FROM


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.repository)
def test_a_row_is_whole(row: Known) -> None:
    assert row.family
    assert row.publisher
    assert row.parameters
    assert row.source.startswith("https://")
    assert row.checked
    assert row.repository.count("/") == 1
    licence = identify(row.licence)
    assert licence is not None
    assert licence.id == row.licence
    if row.released:
        assert date(2018, 1, 1) <= date.fromisoformat(f"{row.released}-01"[:10]) <= date.today()


def test_parents_are_in_the_catalogue_older_and_never_go_round() -> None:
    by_name = {row.repository: row for row in ROWS}
    for row in ROWS:
        assert all(parent in by_name for parent in row.parents), row.repository
        for parent in row.parents:
            length = min(len(row.released), len(by_name[parent].released))
            older = by_name[parent].released[:length] <= row.released[:length]
            assert older or parent == PUBLISHED_AFTER_ITS_CHILD, (row.repository, parent)
        seen, waiting = {row.repository}, list(row.parents)
        while waiting:
            ancestor = waiting.pop()
            assert ancestor != row.repository
            if ancestor not in seen:
                seen.add(ancestor)
                waiting += by_name[ancestor].parents


def test_names_are_unique_whatever_their_case() -> None:
    names = [name.casefold() for row in ROWS for name in (row.repository, *row.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "licence", "parents", "relation"),
    [
        ("meta-llama/Llama-3.2-1B", "llama3.2", ("meta-llama/Llama-3.1-8B",), "pruned"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "mit", ("Qwen/Qwen2.5-Math-7B",), "finetune"),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "mit", ("meta-llama/Llama-3.3-70B-Instruct",), "finetune"),
        ("Qwen/Qwen2.5-3B", "qwen-research", (), ""),
        ("Qwen/Qwen2.5-72B", "qwen", (), ""),
        ("Qwen/Qwen2.5-7B", "apache-2.0", (), ""),
        ("upstage/SOLAR-10.7B-v1.0", "apache-2.0", ("mistralai/Mistral-7B-v0.1",), "upscaled"),
        ("mistralai/Codestral-22B-v0.1", "mnpl", (), ""),
    ],
)
def test_facts_that_are_easily_got_wrong(name: str, licence: str, parents: tuple[str, ...], relation: str) -> None:
    row = known(name)
    assert row is not None
    assert (row.licence, row.parents, row.relation) == (licence, parents, relation)


def test_known_by_any_name_in_any_case() -> None:
    for name in ("meta-llama/Llama-3.1-8B", "META-LLAMA/meta-llama-3.1-8b", "NousResearch/Meta-Llama-3.1-8B"):
        row = known(name)
        assert row is not None
        assert row.repository == "meta-llama/Llama-3.1-8B"
    assert known("gpt2") == known("openai-community/gpt2")
    assert known("nobody/nothing") is None
    assert known("") is None


def test_facts_are_those_of_an_entry() -> None:
    row = known("HuggingFaceH4/zephyr-7b-beta")
    assert row is not None
    facts = row.facts
    assert (facts.repository, facts.family, facts.publisher) == (row.repository, "Zephyr", "Hugging Face")
    assert (facts.licence, facts.parents, facts.relation, facts.released) == (
        row.licence,
        row.parents,
        "finetune",
        row.released,
    )
    assert facts.revision == ""


def test_the_shipped_table_is_a_file_that_users_could_write(tmp_path: Path) -> None:
    lines = ["\t".join(COLUMNS)]
    for row in ROWS:
        values = (getattr(row, column) for column in COLUMNS)
        lines.append("\t".join(",".join(value) if isinstance(value, tuple) else value for value in values))
    assert read_catalogue(written(tmp_path, "\n".join(lines))) == ROWS


def test_a_users_file_needs_few_columns_and_may_have_comments(tmp_path: Path) -> None:
    text = "\ufeff# ours\r\nrepository\tparents\trelation\r\n\r\nours/chat\tours/base,theirs/base\tmerge\r\nours/base\t\t\r\n"
    assert read_catalogue(written(tmp_path, text)) == (
        Known("ours/chat", parents=("ours/base", "theirs/base"), relation="merge"),
        Known("ours/base"),
    )


HEADER = "\t".join(COLUMNS)


def line(**values: str) -> str:
    return "\t".join(values.get(column, "") for column in COLUMNS)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("\n# nothing\n", "is empty"),
        ("family\nQwen\n", "line 1 of the catalogue must name the column `repository`"),
        ("repository\trepository\n", "must name the column `repository`, and each column once"),
        ("repository\tsize\n", "line 1 of the catalogue names columns that there are not: 'size'"),
        ("repository\tfamily\nours/base\n", "line 2 of the catalogue has 1 fields; the first line names 2"),
        (f"{HEADER}\n{line(family='Ours')}\n", "names no repository"),
        (f"{HEADER}\n{line(repository='../../etc/passwd')}\n", "has the repository '../../etc/passwd'"),
        (f"{HEADER}\n{line(repository='a/b/c')}\n", "has the repository"),
        (f"{HEADER}\n{line(repository='a/b', licence='Apache 2.0')}\n", "has the licence 'Apache 2.0'"),
        (f"{HEADER}\n{line(repository='a/b', released='2024')}\n", "has the released '2024'"),
        (f"{HEADER}\n{line(repository='a/b', released='2024-13')}\n", "has the released '2024-13'"),
        (f"{HEADER}\n{line(repository='a/b', released='2023-02-29')}\n", "has the released '2023-02-29'"),
        (f"{HEADER}\n{line(repository='a/b', parents='a/c')}\n", "parents without a relation"),
        (f"{HEADER}\n{line(repository='a/b', relation='merge')}\n", "a relation without parents"),
        (f"{HEADER}\n{line(repository='a/b', parents='a/c', relation='child')}\n", "has the relation 'child'"),
        (f"{HEADER}\n{line(repository='a/b', parents='a/c,', relation='merge')}\n", "has the parents 'a/c,'"),
        (f"{HEADER}\n{line(repository='a/b', parents='a/c, a/d', relation='merge')}\n", "has the parents"),
        (f"{HEADER}\n{line(repository='a/b', parents='a/c,A/C', relation='merge')}\n", "names a parent twice"),
        (f"{HEADER}\n{line(repository='a/b', parents='A/B', relation='finetune')}\n", "its own parent"),
        (f"{HEADER}\n{line(repository='a/b', parameters='seven')}\n", "has the parameters 'seven'"),
        (f"{HEADER}\n{line(repository='a/b', source='javascript:alert(1)')}\n", "has the source"),
        (f"{HEADER}\n{line(repository='a/b', family='Ours‮')}\n", "has a family that is too long, not printable or padded"),
        (f"{HEADER}\n{line(repository='a/b', family=' Ours')}\n", "padded"),
        (f"{HEADER}\n{line(repository='a/b', family='x' * 3000)}\n", "too long"),
        (f"{HEADER}\n{line(repository='a/b')}\n{line(repository='A/B')}\n", "line 3 of the catalogue names 'A/B', which line 2"),
        (f"{HEADER}\n{line(repository='a/b', aliases='a/c')}\n{line(repository='a/c')}\n", "line 3 of the catalogue names 'a/c'"),
    ],
)  # fmt: skip
def test_a_malformed_file_is_refused_with_its_line(tmp_path: Path, text: str, reason: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError) as caught:
        read_catalogue(path)
    assert reason in caught.value.message
    assert caught.value.where == str(path)
    assert caught.value.hint


def test_a_plain_list_may_name_a_model_twice_but_not_two_revisions(tmp_path: Path) -> None:
    assert read_catalogue(written(tmp_path, "a/b\nc/d@v1\na/b\n")) == (Known("a/b"), Known("c/d", revision="v1"))
    with pytest.raises(InputError, match="names already") as caught:
        read_catalogue(written(tmp_path, "a/b\na/b@v1\n"))
    assert caught.value.hint == "one model a line: ORG/NAME[@REVISION]"


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_catalogue(tmp_path / "none.tsv")
    with pytest.raises(InputError, match="UTF-8"):
        read_catalogue(written(tmp_path, b"repository\n\xff\xfe\n"))


def test_a_file_over_a_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "repository\na/b\na/c\n")
    monkeypatch.setattr("tensorguard.registry.catalogue.MAX_CATALOGUE_ROWS", 1)
    with pytest.raises(InputError, match="more than 1 models"):
        read_catalogue(path)
    monkeypatch.setattr("tensorguard.registry.catalogue.MAX_CATALOGUE_BYTES", 8)
    with pytest.raises(InputError, match="larger than 8 bytes"):
        read_catalogue(path)


@given(st.text(alphabet=st.sampled_from("\t\n\r#,/ab.:-2é\u202e\x00\x85\u2028") | st.characters(codec="utf-8"), max_size=200))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = written(tmp_path_factory.getbasetemp(), f"repository\tparents\trelation\treleased\n{text}")
    try:
        rows = read_catalogue(path)
    except InputError:
        return
    assert all(row.repository and row.relation in ("", *RELATIONS) for row in rows)
