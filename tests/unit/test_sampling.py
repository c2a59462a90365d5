"""Samples planned from headers: what is read, that it is what a whole fingerprint holds of the same places, and what two say."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support import checkpoints, kin
from support.checkpoints import Arrays, save
from support.prints import printed, with_blocks
from tensorguard.api import fingerprints
from tensorguard.api.fingerprints import Settings
from tensorguard.api.quick import is_decided, sampled_pair
from tensorguard.api.sampling import growing_fingerprints, sampled_fingerprint
from tensorguard.errors import UsageError
from tensorguard.fingerprint import plan as planning
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.file import encode_fingerprint, read_fingerprint, write_fingerprint
from tensorguard.fingerprint.plan import growing, kept
from tensorguard.lineage.sampled import sampled_blocks
from tensorguard.lineage.verdict import compare_lineage
from tensorguard.probes.rademacher import PUBLIC, Key
from tensorguard.progress import Silent
from tensorguard.signals.sample import sample_rows

FAMILY = kin.kin()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sampled")
    for name in ("base", "tuned-a", "stranger", "shallow"):
        save(folder / name, {key: value.astype(np.float32) for key, value in FAMILY[name].items()})
    save(folder / "rotated", rotated(FAMILY["base"]))
    return folder


@pytest.fixture(scope="module")
def whole(folders: Path) -> Fingerprint:
    return fingerprints.fingerprint_model(folders / "base", workers=1)


def rotated(model: Arrays) -> Arrays:
    """The base in another residual basis, its gains folded in: the same function."""
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((kin.WIDE, kin.WIDE)))[0]
    made: Arrays = {}
    for name, value in model.items():
        stem, _, last = name.removesuffix(".weight").rpartition(".")
        if value.ndim == 1:
            made[name] = np.ones(kin.WIDE, np.float32)
        elif last in ("o_proj", "down_proj"):
            made[name] = (turn.T @ value).astype(np.float32)
        else:
            norm = {"mlp": "post_attention_layernorm", "self_attn": "input_layernorm"}.get(stem.rpartition(".")[2])
            place = f"{stem.rpartition('.')[0]}.{norm}.weight" if norm else "model.norm.weight" if last == "lm_head" else ""
            made[name] = ((value * model[place] if place else value) @ turn).astype(np.float32)
    return made


def samples(folder: Path, **settings: object) -> list[Fingerprint]:
    return list(growing_fingerprints(folder, replace(Settings(), **settings), Silent()))  # type: ignore[arg-type]


def test_plans_grow_within_the_budget_and_nest(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    view = Settings().open(folders / "base").view(glance=True)
    plans = list(growing(view))
    assert [len(plan.whole) // 4 for plan in plans] == [0, 0, 1, 3, 6]
    assert [plan.words for plan in plans] == [False, True, True, True, True]
    for earlier, later in itertools.pairwise(plans[2:]):
        assert earlier.whole < later.whole
        assert earlier.elements < later.elements
    monkeypatch.setattr(planning, "SMALL", plans[2].elements)
    monkeypatch.setattr(planning, "BUDGET", 0.0)
    assert list(growing(view)) == plans[:3]


def test_a_sample_holds_what_the_whole_fingerprint_holds_of_the_same_places(folders: Path, whole: Fingerprint) -> None:
    ours, theirs = samples(folders / "base")[-1].sketches, whole.sketches
    assert ours is not None
    assert theirs is not None
    assert ours.places == theirs.places
    attention = [at for at, place in enumerate(ours.places) if place.role in ("q", "k", "v", "o")]
    assert ours.whole == tuple(attention)
    np.testing.assert_array_equal(ours.fixed[:, :2], theirs.fixed[:, :2])
    assert not ours.fixed[:, 2:].any(), "the operators of MLPs, which were not read"
    np.testing.assert_array_equal(ours.response[attention], theirs.response[attention])
    np.testing.assert_array_equal(ours.traces[attention], theirs.traces[attention])
    assert not ours.response[[at for at in range(len(ours.places)) if at not in attention]].any()
    np.testing.assert_array_equal(ours.sample, theirs.sample[[theirs.sampled.index(at) for at in ours.sampled]])
    np.testing.assert_array_equal(ours.id_rows, theirs.id_rows)


def test_only_what_was_planned_is_read(folders: Path) -> None:
    found = sampled_fingerprint(folders / "base", Settings(), Silent())
    plan = kept(Settings().open(folders / "base").view(glance=True))
    assert found.coverage is not None
    assert (found.coverage.elements, found.coverage.rows, found.coverage.whole) == (plan.elements, len(plan.rows), 4)
    assert {each.role for each in found.digests} == {"q", "k", "v", "o"}
    assert found.features == {}


@pytest.mark.parametrize(("name", "step"), [("tuned-a", 0), ("base", 0), ("shallow", 0), ("rotated", 2)])
def test_relatives_are_found_by_as_little_as_it_takes(folders: Path, whole: Fingerprint, name: str, step: int) -> None:
    answers = [compare_lineage(each, whole) for each in samples(folders / name)]
    decided = [is_decided(each) for each in answers]
    assert decided.index(True) == step
    assert all(each.verdict == "derived" for each in answers[step:])
    assert all(compare_lineage(whole, each).verdict == "derived" for each in samples(folders / name)[step:])


def test_a_sample_that_is_kept_knows_relatives_disguised_or_not(folders: Path) -> None:
    known = sampled_fingerprint(folders / "base", Settings(), Silent())
    found = {
        name: compare_lineage(fingerprints.fingerprint_model(folders / name, workers=1), known)
        for name in ("tuned-a", "rotated")
    }
    assert [each.verdict for each in found.values()] == ["derived", "derived"]
    assert all(is_decided(each) for each in found.values())


def test_what_was_done_is_said_as_far_as_a_sample_shows_it(folders: Path, whole: Fingerprint) -> None:
    first = {name: compare_lineage(samples(folders / name)[0], whole).kinds for name in ("base", "tuned-a", "shallow")}
    assert first["base"] == ()
    assert [kind.name for kind in first["tuned-a"]] == ["fine-tuned"]
    assert "layers" in [kind.name for kind in first["shallow"]]
    assert "disguised" in [kind.name for kind in compare_lineage(samples(folders / "rotated")[-1], whole).kinds]


def test_a_stranger_is_linked_at_no_step(folders: Path, whole: Fingerprint) -> None:
    verdicts = [compare_lineage(each, whole).verdict for each in samples(folders / "stranger")]
    assert set(verdicts) <= {"inconclusive", "independent"}
    assert verdicts[0] == "inconclusive", "rows alone exclude no disguise"


def test_equal_samples_are_no_proof_of_equal_models(folders: Path) -> None:
    both = [samples(folders / "base")[-1] for _ in range(2)]
    assert compare_lineage(*both).verdict == "derived"


def test_blocks_of_unequal_depth_are_found_and_the_search_is_paid_for(
    folders: Path, tmp_path: Path, whole: Fingerprint
) -> None:
    order = [0, 2, 4]
    cut = printed(tmp_path / "cut", with_blocks(FAMILY["base"], order))
    assert cut.sketches is not None
    assert whole.sketches is not None
    found = sampled_blocks(cut.sketches, whole.sketches)
    assert found.pairs == tuple(enumerate(order))
    assert found.log10_ways == pytest.approx(np.log10(6 * 5 * 4))
    assert (found.equal, found.distance) == (1.0, 0.0)
    assert sampled_blocks(whole.sketches, whole.sketches).log10_ways == 0


def test_a_pair_of_samples_is_read_until_it_is_decided(folders: Path) -> None:
    pair = sampled_pair((folders / "rotated", folders / "base"), Settings(quick=True), Silent())
    assert [each.coverage.whole for each in pair if each.coverage] == [4, 4]
    pair = sampled_pair((folders / "tuned-a", folders / "base"), Settings(quick=True), Silent())
    assert [each.coverage.whole for each in pair if each.coverage] == [0, 0]


def test_a_sampled_fingerprint_is_stored_and_read(folders: Path, tmp_path: Path, whole: Fingerprint) -> None:
    for found in samples(folders / "tuned-a"):
        write_fingerprint(tmp_path / "sampled.tgfp", found)
        again = read_fingerprint(tmp_path / "sampled.tgfp")
        assert again == found
        assert encode_fingerprint(again) == encode_fingerprint(found)
        assert compare_lineage(again, whole) == compare_lineage(found, whole)


def test_a_sample_has_no_16_numbers_and_no_mixture(folders: Path, tmp_path: Path) -> None:
    from tensorguard.api.families import load_vectors
    from tensorguard.api.lineage import find_parents

    write_fingerprint(tmp_path / "sampled.tgfp", samples(folders / "tuned-a")[0])
    with pytest.raises(UsageError, match="no 16 numbers"):
        load_vectors([tmp_path / "sampled.tgfp"])
    with pytest.raises(UsageError, match="only a sample"):
        find_parents(tmp_path / "sampled.tgfp", [folders / "base", folders / "stranger"])


def test_every_look_at_a_growing_sample_is_paid_for(folders: Path, whole: Fingerprint) -> None:
    found = compare_lineage(samples(folders / "tuned-a")[0], whole).evidence
    assert found is not None
    for each in found.tests:
        assert each.corrected == pytest.approx(min(0.0, each.test.log10_p + np.log10(len(found.tests) * planning.LOOKS)))
    assert len(samples(folders / "tuned-a")) <= planning.LOOKS


def test_a_change_of_some_roles_alone_is_told_from_rows(folders: Path, tmp_path: Path) -> None:
    part = {name: value.astype(np.float32) for name, value in FAMILY["base"].items()}
    for name in part:
        if "v_proj" in name:
            part[name] = part[name] + 0.05 * np.random.default_rng(1).standard_normal(part[name].shape).astype(np.float32)
    save(tmp_path / "part", part)
    found = compare_lineage(samples(tmp_path / "part")[0], fingerprints.fingerprint_model(folders / "base", workers=1))
    assert [(kind.name, kind.reason.endswith("in v alone of those that were looked at")) for kind in found.kinds] == [
        ("adapter", True)
    ]


def test_rows_planted_at_the_public_place_do_not_show_under_a_key(tmp_path: Path) -> None:
    base, forged = (wide(seed) for seed in (1, 2))
    for name in ("up_proj", "down_proj"):
        ours, theirs = (model[f"model.layers.0.mlp.{name}.weight"] for model in (forged, base))
        ours[: sample_rows(ours.shape[1])] = theirs[: sample_rows(ours.shape[1])]
    places = [save(tmp_path / name, made) for name, made in (("forged", forged), ("base", base))]
    planted = []
    for key in (PUBLIC, Key(b"sixteen secret bytes")):
        first, second = (samples(place, key=key)[0] for place in places)
        whole = fingerprints.fingerprint_model(places[0], settings=Settings(key=key), workers=1).sketches
        assert first.sketches is not None
        assert whole is not None
        np.testing.assert_array_equal(first.sketches.sample, whole.sample)
        found = compare_lineage(first, second).evidence
        assert found is not None
        planted.append(next(t.corrected < -9 for t in found.tests if (t.signal, t.component) == ("sample", "mlp")))
    assert planted == [True, False]


def wide(seed: int) -> Arrays:
    """One block whose matrices have many more rows than are sampled."""
    shapes = {"up_proj": (2048, 256), "gate_proj": (2048, 256), "down_proj": (256, 2048)}
    names = {f"model.layers.0.mlp.{name}.weight": shape for name, shape in shapes.items()}
    return checkpoints.llama(seed, width=256, blocks=1) | {
        name: checkpoints.numbers(name, *shape, seed=seed) for name, shape in names.items()
    }
