"""The answer of a scan, in words: each verdict, its certainty, and the heaviest duties first."""

from dataclasses import replace
from typing import Any

import pytest

from support import lineages
from tensorguard.licences.audit import Audit
from tensorguard.licences.licence import licences
from tensorguard.licences.obligations import Obligation
from tensorguard.lineage.kinds import Kind
from tensorguard.lineage.mixture import Mixture
from tensorguard.lineage.parents import Weight
from tensorguard.lineage.scan import Relative, Scan
from tensorguard.registry.entry import Entry
from tensorguard.reports.scan_wording import answer, descent, obliges


def relative(verdict: str, name: str = "known", **more: Any) -> Relative:
    lineage = lineages.pair(verdict, **more).lineage
    return Relative(Entry(name, "public"), lineage, lineage.log10_p, lineage.log10_p, 0.1)


def scan(*relatives: Relative, others: tuple[Relative, ...] = (), searched: int = 1000, **more: Any) -> Scan:
    verdict = relatives[0].lineage.verdict if relatives else others[0].lineage.verdict if others else "inconclusive"
    return Scan("suspect", "public", more.pop("verdict", verdict), relatives, others, searched, 5, **more)


def test_a_derivative_is_named_with_what_was_done_and_how_sure_that_is() -> None:
    found = relative("derived", kinds=(Kind("quantised", 0, "few values"),), direction="first from second")
    said = descent(scan(found))
    assert said.startswith("'suspect' derives from 'known' or a close relative of it: quantised; p < 1e-50 (exact)")
    assert "1,000 known models" in said


@pytest.mark.parametrize(
    ("verdict", "more", "said"),
    [
        ("derived", {"direction": "unknown"}, "derives from 'known' or shares a parent with it"),
        ("derived", {"direction": "second from first"}, "'known' derives from 'suspect', not the other way round"),
        ("identical", {"how": "certain", "identity": lineages.identity(9, 9)}, "'suspect' is 'known'"),
        ("same-weights", {"how": "certain", "identity": lineages.identity(9, 9)}, "holds the weights of 'known'"),
        ("related", {}, "are related"),
        ("shares-components", {}, "shares components with 'known': embeddings"),
    ],
)
def test_every_link_has_its_words(verdict: str, more: dict[str, Any], said: str) -> None:
    assert said in descent(scan(relative(verdict, **more)))


def test_equal_values_are_certain_and_need_no_p() -> None:
    found = descent(scan(relative("derived", how="certain", identity=lineages.identity(5, 9))))
    assert "5 of 9 trained matrices are equal (certain)" in found
    assert "p <" not in found


def test_a_merge_names_its_parents_and_the_closest() -> None:
    weights = tuple(Weight(name, value, 0.01, value - 0.02, value + 0.02) for name, value in (("a", 0.6), ("b", 0.4)))
    found = descent(scan(relative("derived", "a"), relative("derived", "b"), parents=Mixture("linear", None, parents=weights)))
    assert "is a merge: 0.600" in found
    assert "closest of them is 'a'" in found


def test_what_may_be_a_merge_is_first_said_to_derive_from_the_closest() -> None:
    weights = tuple(Weight(name, value, 0.01, value - 0.02, value + 0.02) for name, value in (("a", 0.6), ("b", 0.4)))
    may_be = Mixture("sparse", None, parents=weights, explained=0.45)
    found = descent(scan(relative("derived", "a"), relative("derived", "b"), parents=may_be))
    assert found.startswith("'suspect' derives from 'a'")
    assert "may be a sparse merge" in found
    assert "Training on data like theirs looks the same" in found


def test_equal_components_are_told_once() -> None:
    found = descent(scan(relative("shares-components", how="certain", identity=lineages.identity(1, 30))))
    assert found.count("1 of 30 trained matrices are equal") == 1
    assert found.endswith("found among 1,000 known models.")


def test_what_is_not_found_is_not_overstated() -> None:
    assert "the most alike, 'known', shows no relation to it" in descent(scan(others=(relative("independent"),)))
    assert "none is excluded" in descent(scan(others=(relative("inconclusive"),)))
    assert "knows no model" in descent(scan(searched=0))
    assert "'s" in descent(scan(searched=1))


def test_a_secret_key_is_heard() -> None:
    true = scan(replace(relative("derived"), confirmed=True))
    assert "confirmed under the secret key" in descent(true)
    forged = scan(replace(relative("derived"), confirmed=False), verdict="inconclusive")
    assert "the likeness may be forged" in descent(forged)


def test_the_heaviest_duties_come_first() -> None:
    llama = licences()["llama3.1"]
    found = tuple(Obligation("llama3.1", duty, "known", (), True) for duty in llama.duties)
    said = obliges(found)
    assert said.startswith(f"{llama.name} (of 'known') obliges you: ")
    assert f"and {len(llama.duties) - 2} more" in said
    unknown = obliges((Obligation("their-own", None, "known", (), True),))
    assert "'their-own'" in unknown
    assert "has to be read" in unknown
    audit = Audit(scan(relative("derived")), "where", "digest", "registry", found)
    assert answer(audit).endswith(said)
