import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from support.sketches import layers, neurons_permuted, rotated, sketches, toy_model, tuned
from tensorguard.errors import UsageError
from tensorguard.fingerprint.sketches import Sketches
from tensorguard.lineage.evidence import Evidence, evidence

MODEL = toy_model(1)
PARENT = sketches(MODEL)


def test_of_a_model_and_itself() -> None:
    found = evidence(PARENT, PARENT)
    assert found.log10_p < -250
    assert min(found.excess.values()) > 0.95
    assert found.layers.origins == (0, 1, 2, 3)
    assert found.layers.changes == ("same",)
    assert found.units.same == found.units.matched == 4 * 128
    assert [pair.cosine for pair in found.matrices] == pytest.approx([1.0] * len(PARENT.places))
    assert {pair.difference for pair in found.matrices} == {0.0}


@pytest.mark.parametrize("seed", range(2, 8))
def test_of_strangers(seed: int) -> None:
    found = evidence(PARENT, sketches(toy_model(seed, depth=3 + seed % 3)))
    assert found.log10_p > -2
    assert max(found.excess.values()) < 0.05
    assert set(found.layers.origins) == {None}


def test_shared_meaning_is_no_lineage() -> None:
    """Tokens that are alike in both models: far beyond chance in token space, and allowed for."""
    a, b = (sketches(toy_model(seed, common=0.6)) for seed in (1, 2))
    found = evidence(a, b)
    similar = found.test("anchors", "words", "embeddings")
    assert similar is not None
    assert similar.excess > 6 * similar.null_sd
    assert found.log10_p > -2


def test_of_a_fine_tuned_model() -> None:
    found = evidence(sketches(tuned(MODEL, 5, 0.5)), PARENT)
    assert found.basis == "fixed"
    assert found.log10_p < -100
    assert found.layers.origins == (0, 1, 2, 3)
    assert 0.4 < float(np.median([pair.difference for pair in found.matrices])) < 0.6


def test_of_a_rotated_model() -> None:
    found = evidence(sketches(tuned(rotated(MODEL, 3), 5, 0.2)), PARENT)
    assert found.basis in ("words", "ids")
    assert abs(found.excess["fixed"]) < 0.05
    assert found.log10_p < -50
    assert found.layers.origins == (0, 1, 2, 3)
    test = found.test("operators", found.basis)
    assert test is not None
    assert test.how == "conditional"


def test_permuted_neurons_hide_from_the_unit_index_alone() -> None:
    found = evidence(sketches(neurons_permuted(MODEL, 3)), PARENT)
    assert found.units.log10_p > -3
    assert found.excess["fixed"] > 0.95
    by_role = {(pair.role, pair.layer): pair.cosine for pair in found.matrices}
    assert by_role["q", 0] == pytest.approx(1)
    assert abs(by_role["up", 0]) < 0.3


@pytest.mark.parametrize(
    ("order", "change"),
    [([0, 2, 3], "dropped"), ([0, 1, 1, 2, 3], "duplicated"), ([0, 1, 2, 1, 2, 3], "up-scaled"), ([2, 0, 3, 1], "reordered")],
)
def test_blocks_that_moved(order: list[int], change: str) -> None:
    found = evidence(sketches(layers(MODEL, order)), PARENT)
    assert found.layers.origins == tuple(order)
    assert change in found.layers.changes
    assert found.log10_p < -100
    assert found.units.same >= 3 * 128


def test_a_copied_embedding_alone() -> None:
    stranger = toy_model(7)
    found = evidence(sketches(replace(stranger, embed=MODEL.embed)), PARENT)
    embeddings, head = (found.test("anchors", "fixed", component) for component in ("embeddings", "head"))
    attention = found.test("operators", "fixed", "attention")
    assert embeddings is not None
    assert head is not None
    assert attention is not None
    assert embeddings.log10_p < -20
    assert head.log10_p > -3
    assert attention.log10_p > -3
    assert set(found.layers.origins) == {None}


def test_missing_words_operators_and_heads_are_left_out() -> None:
    child = sketches(MODEL, missing_words=(1, 5, 9), without=("DG", "GU"), tied=True)
    found = evidence(child, PARENT)
    assert set(found.effects["fixed"]) == {"QK", "VO", "DU"}
    assert found.excess["words"] > 0.95
    few = evidence(sketches(MODEL, missing_words=tuple(range(28))), PARENT)
    assert "words" not in few.excess
    assert few.excess["ids"] > 0.95


def test_row_samples_of_copies_and_of_what_was_moved() -> None:
    for child, component, copied in (
        (tuned(MODEL, 5, 0.5), "all", True),
        (neurons_permuted(MODEL, 3), "attention", True),
        (rotated(MODEL, 3), "all", False),
        (toy_model(8), "all", False),
    ):
        test = evidence(sketches(child), PARENT).test("sample", "rows", component)
        assert test is not None
        assert (test.log10_p < -100) == copied
        assert test.log10_p < -100 or test.log10_p > -3


def test_constant_matrices_are_no_evidence() -> None:
    """Two strangers, of each of whose blocks every matrix but q and k is constant."""
    a, b = (toy_model(seed) for seed in (11, 12))
    constant = {"v": 0.3, "up": 0.3, "gate": 0.1, "o": 0.2, "down": -0.3}
    both = [
        sketches(
            replace(
                m,
                blocks=tuple(
                    {r: np.full_like(W, constant.get(r, 0)) if r in constant else W for r, W in block.items()}
                    for block in m.blocks
                ),
            )
        )
        for m in (a, b)
    ]
    found = evidence(*both)
    assert found.test("sample", "rows") is None
    for component in ("attention", "mlp"):
        test = found.test("correlation", "fixed", component)
        assert test is None or test.log10_p > -3


def test_models_without_operators_are_compared_by_their_matrices() -> None:
    everything = ("QK", "VO", "DU", "DG", "GU")
    found = evidence(sketches(MODEL, without=everything), PARENT)
    assert found.basis is None
    assert found.excess == {}
    correlation = found.test("correlation", "fixed")
    assert correlation is not None
    assert correlation.statistic == pytest.approx(1)
    assert found.log10_p < -100


def test_both_directions_agree() -> None:
    child = sketches(tuned(layers(MODEL, [0, 2, 3]), 5, 0.3))
    there, back = evidence(child, PARENT), evidence(PARENT, child)
    for basis, matrix in there.similarity.items():
        np.testing.assert_allclose(np.array(matrix).T, back.similarity[basis], atol=1e-9)
    assert {(b, a) for a, b in there.path} == set(back.path)
    assert there.units.same == back.units.same
    for test in there.tests:
        other = back.test(test.signal, test.basis, test.component)
        assert other is not None
        assert other.statistic == pytest.approx(test.test.statistic)


def test_it_is_the_same_every_time_and_can_be_written() -> None:
    child = sketches(tuned(MODEL, 5, 0.5))
    first, second = (json.dumps(asdict(evidence(child, PARENT)), sort_keys=True) for _ in range(2))
    assert first == second


def test_corrected_for_every_test_that_was_made() -> None:
    found = evidence(PARENT, PARENT)
    for each in found.tests:
        assert each.corrected == pytest.approx(min(0, each.test.log10_p + np.log10(len(found.tests))))
    assert found.log10_p == min(each.corrected for each in found.tests)


def test_other_keys_cannot_be_compared() -> None:
    with pytest.raises(UsageError, match="different keys"):
        evidence(PARENT, replace(PARENT, key="0123456789abcdef"))


def test_a_model_without_blocks() -> None:
    empty = _without_blocks(PARENT)
    found = evidence(empty, PARENT)
    assert isinstance(found, Evidence)
    assert found.layers.origins == ()
    assert found.test("anchors", "fixed", "embeddings") is not None


def _without_blocks(model: Sketches) -> Sketches:
    kept = {name: getattr(model, name)[:0] for name in ("fixed", "words", "ids", "unit_index", "unit_vectors", "unit_count")}
    return replace(model, blocks=(), **kept)
