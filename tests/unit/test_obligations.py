"""Which ancestors a scan names, what their licences oblige to, and how far each link was measured."""

from collections.abc import Sequence

import pytest

from tensorguard.licences.licence import licences
from tensorguard.licences.obligations import ancestors, obligations
from tensorguard.limits import MAX_GENERATIONS
from tensorguard.lineage.mixture import Mixture
from tensorguard.lineage.parents import Weight
from tensorguard.lineage.scan import Relative, Scan
from tensorguard.lineage.verdict import Component, Lineage
from tensorguard.registry.catalogue import known as catalogued
from tensorguard.registry.entry import Entry, Facts


def entry(name: str, licence: str = "", parents: Sequence[str] = (), repository: str = "") -> Entry:
    return Entry(name, "public", Facts(repository=repository, licence=licence, parents=tuple(parents)))


def relative(
    of: Entry, verdict: str = "derived", direction: str = "unknown", shared: Sequence[str] = ("attention", "mlp")
) -> Relative:
    components = tuple(Component(each, "linked", 0.9, -20.0, "conditional") for each in shared)
    lineage = Lineage(verdict, (), direction, -20.0, "conditional", 0.9, components, None, None)
    return Relative(of, lineage, -20.0, -20.0, 0.1)


def scan(*relatives: Relative, parents: Mixture | None = None) -> Scan:
    verdict = relatives[0].lineage.verdict if relatives else "independent"
    return Scan("child", "public", verdict, relatives, (), 100, 10, parents)


def merge(method: str, *names: str, base: str | None = None) -> Mixture:
    return Mixture(method, base, parents=tuple(Weight(name, 0.5, 0.01, 0.4, 0.6) for name in names))


def found(of: Scan, known: Sequence[Entry] = ()) -> list[tuple[str, tuple[str, ...], bool]]:
    return [(each.name, each.through, each.link is not None) for each in ancestors(of, known)]


def test_a_parent_obliges_to_all_its_licence_asks() -> None:
    duties = obligations(scan(relative(entry("base", "llama3.1"))), ())
    assert [each.duty for each in duties] == list(licences()["llama3.1"].duties)
    assert {(each.licence, each.ancestor, each.through, each.measured) for each in duties} == {("llama3.1", "base", (), True)}


def test_nothing_found_obliges_to_nothing() -> None:
    assert obligations(scan(), [entry("somebody", "llama3.1")]) == ()


def test_a_child_of_the_model_obliges_to_nothing() -> None:
    child = relative(entry("quantised", "cc-by-nc-4.0"), direction="second from first")
    assert obligations(scan(child), ()) == ()
    base = relative(entry("base", "mit"), direction="first from second")
    assert {each.licence for each in obligations(scan(child, base), ())} == {"mit"}


def test_siblings_oblige_to_nothing() -> None:
    base, sibling = relative(entry("base", "mit")), relative(entry("sibling", "cc-by-nc-4.0", ["base"]))
    assert found(scan(base, sibling)) == [("base", (), True)]


def test_the_chain_is_followed_and_links_that_were_measured_are_told() -> None:
    known = [entry("chat", "mit", ["org/base"]), entry("base", "apache-2.0", ["origin"], "org/base"), entry("origin", "gemma")]
    assert found(scan(relative(known[0])), known) == [
        ("chat", (), True),
        ("base", ("chat",), False),
        ("origin", ("chat", "base"), False),
    ]
    linked = scan(relative(known[0]), relative(known[2]))
    assert found(linked, known)[2] == ("origin", ("chat", "base"), True)
    assert [each.licence for each in obligations(linked, known)][-1] == "gemma"


def test_the_catalogue_tells_what_the_registry_does_not() -> None:
    of = entry("my copy", repository="meta-llama/Llama-3.1-8B-Instruct")
    duties = obligations(scan(relative(of)), [of])
    assert {each.licence for each in duties} == {"llama3.1"}
    row = catalogued("meta-llama/Llama-3.1-8B-Instruct")
    assert row is not None
    assert {each.ancestor for each in duties} == {"my copy", *row.parents}
    alone = entry("tuned", "mit", ["meta-llama/Llama-3.1-8B"])
    assert ("meta-llama/Llama-3.1-8B", ("tuned",), False) in found(scan(relative(alone)))


def test_cycles_end_and_each_ancestor_counts_once() -> None:
    known = [entry("a", "mit", ["b", "c"]), entry("b", "gemma", ["c", "a"]), entry("c", "llama2", ["a", "c"])]
    assert found(scan(relative(known[0])), known) == [("a", (), True), ("b", ("a",), False), ("c", ("a",), False)]
    duties = obligations(scan(relative(known[0])), known)
    assert len(duties) == len(set(duties))


def test_endless_chains_are_cut() -> None:
    known = [entry(f"m{at}", "mit", [f"m{at + 1}"]) for at in range(5 * MAX_GENERATIONS)]
    assert len(ancestors(scan(relative(known[0])), known)) == MAX_GENERATIONS + 1


def test_names_of_one_model_count_once() -> None:
    known = [entry("mirror", "mit", ["META-LLAMA/llama-3.1-8b", "local"]), entry("local", "", (), "meta-llama/Llama-3.1-8B")]
    assert [name for name, _, _ in found(scan(relative(known[0])), known)] == ["mirror", "local"]


@pytest.mark.parametrize("method", ["linear", "sparse", "passthrough"])
def test_all_parents_of_a_merge_oblige(method: str) -> None:
    a, b, c = (relative(entry(name, licence)) for name, licence in (("a", "llama3.1"), ("b", "gemma"), ("c", "mit")))
    merged = scan(a, c, b, parents=merge(method, "b", "a"))
    assert {each.licence for each in obligations(merged, ())} == {"llama3.1", "gemma"}
    with_base = scan(a, c, b, parents=merge(method, "b", "a", base="c"))
    assert {each.licence for each in obligations(with_base, ())} == {"llama3.1", "gemma", "mit"}


@pytest.mark.parametrize("method", ["single", "none"])
def test_what_is_no_merge_has_one_parent(method: str) -> None:
    a, b = relative(entry("a", "llama3.1")), relative(entry("b", "gemma"))
    assert [name for name, _, _ in found(scan(a, b, parents=merge(method, "b")))] == ["a"]


def test_copies_come_before_relatives() -> None:
    copies = [relative(entry(name, licence), "same-weights") for name, licence in (("copy", "mit"), ("mirror", "llama3.1"))]
    assert [name for name, _, _ in found(scan(*copies, relative(entry("base", "gemma"))))] == ["copy", "mirror"]


def test_the_donor_of_a_component_obliges() -> None:
    body = relative(entry("body", "mit"), shared=("attention", "mlp"))
    donor = relative(entry("donor", "gemma"), "shares-components", shared=("embeddings",))
    assert {each.licence for each in obligations(scan(body, donor), ())} == {"mit", "gemma"}
    whole = relative(entry("body", "mit"), shared=("embeddings", "attention", "mlp"))
    assert {each.licence for each in obligations(scan(whole, donor), ())} == {"mit"}
    alone = obligations(scan(donor), ())
    assert {(each.licence, each.link) for each in alone} == {("gemma", "shares-components")}


def test_an_unknown_licence_has_to_be_read_and_the_next_relative_is_asked() -> None:
    unknown, other = relative(entry("unknown")), relative(entry("other", "some-licence"))
    duties = obligations(scan(unknown, other, relative(entry("base", "mit"))), ())
    assert [(each.licence, each.duty, each.ancestor) for each in duties] == [
        ("", None, "unknown"),
        ("some-licence", None, "other"),
    ]


def test_parents_that_nobody_knows_are_named() -> None:
    duties = obligations(scan(relative(entry("tuned", "unlicense", ["who/knows"]))), ())
    assert [(each.licence, each.duty, each.ancestor, each.through, each.measured) for each in duties] == [
        ("", None, "who/knows", ("tuned",), False)
    ]


def test_an_unlabelled_upload_does_not_hide_the_older_base_behind_it() -> None:
    upload = relative(Entry("upload", "public", Facts(licence="apache-2.0", released="2025-03")))
    base = relative(Entry("base", "public", Facts(licence="llama3.1", released="2024-07-23")))
    newer = relative(Entry("newer", "public", Facts(licence="gemma", released="2025-09")))
    assert [each.name for each in ancestors(scan(upload, newer, base), ())] == ["upload", "base"]
    told = relative(Entry("upload", "public", Facts(licence="apache-2.0", released="2025-03", parents=("other",))))
    assert [each.name for each in ancestors(scan(told, base), ())] == ["upload", "other"]
