"""A model against known ones: who is found, who is named, what it costs to have searched, and what a secret key takes back."""

from dataclasses import replace
from math import log10

import pytest

from support import kin, prints
from tensorguard.api.fingerprints import Settings, fingerprint_model
from tensorguard.engines.inline import Inline
from tensorguard.errors import InputError
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.lineage import scan as scanning
from tensorguard.lineage.mixture import Mixture
from tensorguard.lineage.parents import Weight
from tensorguard.lineage.scan import Scan, confirmed, scan
from tensorguard.lineage.verdict import compare_lineage
from tensorguard.probes.rademacher import Key
from tensorguard.registry.entry import Entry, Facts, Hit

Prints = dict[str, Fingerprint]


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Prints:
    folder = kin.write(tmp_path_factory.mktemp("kin"))
    return {path.name: fingerprint_model(path, workers=1) for path in sorted(folder.iterdir())}


def hits(names: list[str], **facts: Facts) -> list[Hit]:
    return [Hit(Entry(name, "public", facts.get(name.replace("-", "_"), Facts())), 0.5, "fixed", 0) for name in names]


def scanned(family: Prints, model: str, known: list[str], searched: int = 1000, **facts: Facts) -> Scan:
    return scan(family[model], hits(known, **facts), lambda entry: family[entry.name], searched, engine=Inline())


def test_the_closest_possible_parent_is_named_first(family: Prints) -> None:
    found = scanned(family, "tuned-a", ["stranger", "tuned-b", "base"])
    assert [each.entry.name for each in found.relatives] == ["base", "tuned-b"]
    assert [each.entry.name for each in found.others] == ["stranger"]
    assert found.verdict == found.relatives[0].lineage.verdict == "derived"
    assert found.relatives[0].distance is not None
    assert found.relatives[1].distance is not None
    assert found.relatives[0].distance < found.relatives[1].distance
    assert found.parents is None


def test_a_copy_outranks_everything(family: Prints) -> None:
    found = scanned(family, "tuned-a", ["base", "tuned-b", "tuned-a"])
    assert found.verdict == "identical"
    assert found.best is not None
    assert found.best.entry.name == "tuned-a"


def test_what_was_made_of_the_model_is_no_parent(family: Prints) -> None:
    found = scanned(family, "base", ["coarse", "shallow", "tuned-a"])
    assert found.best is not None
    assert found.best.entry.name == "tuned-a"  # a fine-tune shows no arrow; the rounded and the shortened model do
    assert {each.entry.name for each in found.relatives if each.descends} == {"coarse", "shallow"}
    child = scanned(family, "coarse", ["base", "stranger"])
    assert child.best is not None
    assert not child.best.descends
    assert child.best.lineage.direction == "first from second"


def test_a_merge_is_taken_apart(family: Prints) -> None:
    found = scanned(family, "blended", ["base", "tuned-a", "tuned-b", "stranger"])
    assert found.parents is not None
    assert found.parents.method == "linear"
    weights = {each.name: each.weight for each in found.parents.parents}
    assert weights == {"tuned-a": pytest.approx(0.7, abs=0.05), "tuned-b": pytest.approx(0.3, abs=0.05)}
    stitched = scanned(family, "stitched", ["tuned-a", "tuned-b"])
    assert stitched.parents is not None
    assert stitched.parents.method == "passthrough"


@pytest.mark.parametrize(("explained", "is_merge"), [(0.24, False), (0.84, True)])
def test_a_sum_that_explains_little_is_no_merge(
    family: Prints, monkeypatch: pytest.MonkeyPatch, explained: float, is_merge: bool
) -> None:
    """What a fine-tune looks like beside merges that it went into itself."""
    parents = tuple(Weight(name, value, 0.01, value, value) for name, value in (("blended", 1.3), ("stitched", -0.3)))
    monkeypatch.setattr(scanning, "mixture", lambda *_: Mixture("linear", None, parents=parents, explained=explained))
    found = scanned(family, "tuned-a", ["blended", "stitched", "base"])
    assert (found.parents is not None) == is_merge


def test_a_stranger_has_no_relatives(family: Prints) -> None:
    found = scanned(family, "stranger", ["base", "tuned-a"])
    assert (found.verdict, found.relatives, found.best) == ("independent", (), None)
    assert [each.lineage.verdict for each in found.others] == ["independent", "independent"]


def test_nothing_known_says_nothing(family: Prints) -> None:
    found = scanned(family, "base", [], searched=0)
    assert (found.verdict, found.relatives, found.others, found.screened) == ("inconclusive", (), (), 0)


def test_p_values_pay_for_every_model_searched(family: Prints) -> None:
    alone = compare_lineage(family["tuned-a"], family["base"])
    found = scanned(family, "tuned-a", ["base", "tuned-b"], searched=1_000_000)
    assert found.best is not None
    assert found.best.log10_p == pytest.approx(alone.log10_p + 6.0)
    assert all(each.holm <= each.log10_p + 1e-9 for each in found.relatives)
    assert min(each.holm for each in found.relatives) == pytest.approx(min(each.log10_p for each in found.relatives))


def test_weak_evidence_does_not_survive_a_large_registry(family: Prints) -> None:
    alone = compare_lineage(family["tuned-a"], family["base"], 1)
    assert alone.evidence is not None
    weakest = max(each.corrected for each in alone.evidence.tests)
    many = compare_lineage(family["tuned-a"], family["base"], 10**9)
    assert many.evidence is not None
    moved = [(b.corrected, a.corrected) for a, b in zip(alone.evidence.tests, many.evidence.tests, strict=True)]
    assert all(after == pytest.approx(min(0.0, before + log10(1e9))) or before == 0.0 for after, before in moved)
    assert weakest <= max(each.corrected for each in many.evidence.tests)


def test_an_entry_that_cannot_be_read_is_left_out_and_named(family: Prints) -> None:
    def load(entry: Entry) -> Fingerprint:
        if entry.name == "base":
            raise InputError("its fingerprint is missing", where="base")
        return family[entry.name]

    found = scan(family["tuned-a"], hits(["base", "tuned-b"]), load, 2, engine=Inline())
    assert [each.entry.name for each in found.relatives] == ["tuned-b"]
    assert len(found.notices) == 1
    assert "its fingerprint is missing" in found.notices[0]


def test_only_so_many_are_compared_in_full(family: Prints) -> None:
    known = ["stranger", "base", "tuned-b", "coarse"]
    found = scan(family["tuned-a"], hits(known), lambda entry: family[entry.name], 4, engine=Inline(), compared=1)
    assert [each.entry.name for each in found.relatives] == ["base"]
    assert (found.others, found.screened) == ((), 4)


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Prints:
    folder = kin.write(tmp_path_factory.mktemp("keyed"))
    settings = Settings(key=Key(b"sixteen secret bytes"))
    names = ("base", "tuned-a", "stranger")
    return {name: fingerprint_model(folder / name, settings=settings, workers=1) for name in names}


def test_a_secret_key_confirms_a_true_link(family: Prints, keyed: Prints) -> None:
    public, secret = scanned(family, "tuned-a", ["base", "stranger"]), scanned(keyed, "tuned-a", ["base", "stranger"])
    found = confirmed(public, secret)
    assert found.best is not None
    assert (found.best.entry.name, found.best.confirmed, found.verdict) == ("base", True, "derived")
    assert found.key == keyed["base"].sketches.key  # type: ignore[union-attr]


def test_a_secret_key_takes_a_forged_link_back(family: Prints, keyed: Prints) -> None:
    forged = scan(
        replace(family["base"], name="suspect"), hits(["tuned-a"]), lambda entry: family[entry.name], 2, engine=Inline()
    )  # public probes were made to agree ...
    honest = scan(keyed["stranger"], hits(["tuned-a"]), lambda entry: keyed[entry.name], 2, engine=Inline())
    found = confirmed(forged, honest)
    assert [each.confirmed for each in found.relatives] == [False]
    assert found.verdict == "inconclusive"  # ... and under the key they do not


def test_what_only_the_key_sees_is_found(family: Prints, keyed: Prints) -> None:
    evaded = scanned(family, "stranger", ["base"])
    found = confirmed(evaded, scanned(keyed, "tuned-a", ["base"]))
    assert [(each.entry.name, each.confirmed) for each in found.relatives] == [("base", True)]
    assert found.others == ()
    assert found.verdict == "derived"


def test_fingerprints_without_sketches_are_compared_by_their_digests(family: Prints) -> None:
    bare = prints.sketched_print(None, digests=family["base"].digests, header_digest=family["base"].header_digest)
    found = scan(bare, hits(["base"]), lambda entry: family[entry.name], 1, engine=Inline())
    assert found.verdict == "identical"
