"""Merge weights from response sketches, against known sums and against numpy's least squares."""

from dataclasses import replace

import numpy as np
import pytest

from support.sketched import SHAPES, Matrices, bfloat16, combined, random_model, sketched, tuned
from tensorguard.errors import UsageError
from tensorguard.lineage.mixture import Mixture, mixture

BASE = random_model(0)
A, B = tuned(BASE, 1, 0.05), tuned(BASE, 2, 0.05)
C = tuned(BASE, 3, 0.1, A, 0.3)
CANDIDATES = {"base": sketched(BASE), "a": sketched(A), "b": sketched(B), "c": sketched(C)}


def weights(found: Mixture) -> dict[str, float]:
    return {each.name: each.weight for each in found.parents}


def stacked(sources: list[tuple[Matrices, int]]) -> Matrices:
    built: Matrices = {("embed", None): sources[0][0]["embed", None]}
    for layer, (model, source) in enumerate(sources):
        built |= {(role, layer): model[role, source] for role in SHAPES}
    return built


@pytest.mark.parametrize("base", ["base", None])
def test_a_linear_merge_gives_its_weights_and_nothing_to_the_others(base: str | None) -> None:
    found = mixture(sketched(combined([(0.7, A), (0.3, B)])), CANDIDATES, base)
    assert found.method == "linear"
    assert weights(found) == pytest.approx({"a": 0.7, "b": 0.3}, abs=1e-4)
    assert {each.name for each in found.excluded} == {"base", "c"} - {base}
    assert found.explained > 0.999
    assert found.residual < 1e-4


def test_task_vectors_need_not_sum_to_one_and_may_be_subtracted() -> None:
    found = mixture(sketched(combined([(1.3, BASE), (0.7, A), (-1.0, B)])), CANDIDATES, "base")
    assert weights(found) == pytest.approx({"a": 0.7, "b": -1.0}, abs=1e-4)
    assert found.base_weight is not None
    assert found.base_weight.weight == pytest.approx(1.3, abs=1e-4)


def test_weights_equal_numpy_least_squares_on_the_same_numbers() -> None:
    child = sketched(tuned(combined([(0.6, A), (0.4, C)]), 9, 0.03))
    found = mixture(child, {name: CANDIDATES[name] for name in ("base", "a", "c")}, "base")
    reference = CANDIDATES["base"].response.astype(np.float64)
    unit = np.sqrt(np.mean(reference**2, axis=(1, 2), keepdims=True))
    columns, target = [], np.empty_like(reference)
    models = [CANDIDATES[name].response.astype(np.float64) for name in ("a", "c")]
    for at in range(len(reference)):  # Each matrix with a free scale first, as `scale` says.
        full = np.stack([reference[at].ravel(), *((m[at] - reference[at]).ravel() for m in models)], axis=1)
        target[at] = child.response[at] / np.linalg.lstsq(full, child.response[at].ravel().astype(np.float64))[0][0]
    columns = [((m - reference) / unit).ravel() for m in models]
    expected = np.linalg.lstsq(np.stack(columns, axis=1), ((target - reference) / unit).ravel())[0]
    assert [weights(found)["a"], weights(found)["c"]] == pytest.approx(expected, abs=1e-6)


def test_unrelated_bases_can_be_merged_and_a_sum_beyond_one_shows() -> None:
    other = random_model(7)
    models = {"a": CANDIDATES["a"], "other": sketched(other)}
    assert weights(mixture(sketched(combined([(0.6, A), (0.4, other)])), models)) == pytest.approx(
        {"a": 0.6, "other": 0.4}, abs=1e-3
    )
    spherical = mixture(sketched(combined([(0.8, A), (0.6, other)])), models)
    assert spherical.scale == pytest.approx(1.4, abs=1e-3)
    assert weights(spherical) == pytest.approx({"a": 0.8 / 1.4, "other": 0.6 / 1.4}, abs=1e-3)
    assert any("1.40 times the sum" in notice for notice in spherical.notices)


def test_a_curve_of_weights_over_the_blocks_is_recovered_and_said() -> None:
    curve = np.linspace(0.2, 0.8, 6)
    child = {key: (1 - t) * W + t * B[key] for key, W in A.items() for t in [0.5 if key[1] is None else curve[key[1]]]}
    found = mixture(sketched(child), CANDIDATES, "base")
    of_b = [w.weight for part in found.layers if part.part == "all" for w in part.weights if w.name == "b"]
    assert of_b == pytest.approx(curve, abs=1e-3)
    assert found.method == "linear"
    assert found.varied > 0.999 > found.explained
    assert any("differ from block to block" in notice for notice in found.notices)
    thirds = {part.part: part for part in found.groups}
    assert [w.weight for w in thirds["last third"].weights if w.name == "b"] == pytest.approx([0.74], abs=0.01)


def test_weights_per_role_are_recovered() -> None:
    child = {key: (0.2 if key[0] == "q" else 0.7) * W + (0.8 if key[0] == "q" else 0.3) * B[key] for key, W in A.items()}
    found = {part.part: {w.name: w.weight for w in part.weights} for part in mixture(sketched(child), CANDIDATES, "base").roles}
    assert found["q"]["a"] == pytest.approx(0.2, abs=1e-3)
    assert found["up"]["a"] == pytest.approx(0.7, abs=1e-3)


def test_a_fine_tune_has_one_parent_and_a_correlated_sibling_none() -> None:
    found = mixture(sketched(tuned(A, 9, 0.05)), CANDIDATES, "base")
    assert found.method == "single"
    assert weights(found) == {"a": 1.0}
    sibling = mixture(sketched(tuned(BASE, 10, 0.1, C, 0.6)), CANDIDATES, "base")
    assert sibling.method == "single"
    assert weights(sibling) == {"base": 1.0}
    assert any("like data" in notice for notice in sibling.notices)


def test_a_merge_that_was_trained_on_keeps_its_weights_but_explains_less() -> None:
    found = mixture(sketched(tuned(combined([(0.6, A), (0.4, B)]), 9, 0.03)), CANDIDATES, "base")
    assert found.method == "sparse"
    assert weights(found) == pytest.approx({"a": 0.6, "b": 0.4}, abs=0.03)
    assert found.explained < 0.8


def test_copies_among_the_candidates_are_told_as_a_sum() -> None:
    models = {"base": CANDIDATES["base"], "a": CANDIDATES["a"], "b": CANDIDATES["b"], "a-copy": CANDIDATES["a"]}
    found = mixture(sketched(combined([(0.7, A), (0.3, B)])), models, "base")
    (group,) = found.collinear
    assert set(group.names) == {"a", "a-copy"}
    assert group.weight == pytest.approx(0.7, abs=1e-4)
    assert any("cannot be told apart" in notice for notice in found.notices)


def test_a_candidate_between_two_others_makes_all_three_collinear() -> None:
    models = {**CANDIDATES, "ab": sketched(combined([(0.5, A), (0.5, B)]))}
    found = mixture(sketched(combined([(0.7, A), (0.3, B)])), models, "base")
    assert any(
        set(group.names) == {"a", "b", "ab"} and group.weight == pytest.approx(1.0, abs=1e-3) for group in found.collinear
    )


def test_nearly_equal_parents_inflate_the_variance() -> None:
    twin = tuned(A, 11, 0.005)
    child = sketched(tuned(combined([(0.5, A), (0.5, twin)]), 12, 0.001))
    found = mixture(child, {"base": CANDIDATES["base"], "a": CANDIDATES["a"], "twin": sketched(twin)}, "base")
    assert max(found.inflation) > 30
    (group,) = found.collinear
    assert group.weight == pytest.approx(1.0, abs=0.01)


def test_unrelated_candidates_are_no_parents() -> None:
    found = mixture(sketched(random_model(99)), CANDIDATES)
    assert (found.method, found.parents) == ("none", ())


def test_a_passthrough_merge_is_a_map_of_blocks() -> None:
    found = mixture(sketched(stacked([(A, 0), (A, 1), (B, 2), (B, 3), (A, 4), (A, 5)])), CANDIDATES, "base")
    assert found.method == "passthrough"
    assert weights(found) == pytest.approx({"a": 4 / 6, "b": 2 / 6})
    assert [(block.parent, block.parent_layer) for block in found.blocks] == [
        ("a", 0),
        ("a", 1),
        ("b", 2),
        ("b", 3),
        ("a", 4),
        ("a", 5),
    ]


@pytest.mark.parametrize("moved", [0, 1])
def test_a_merge_that_took_blocks_of_the_model_is_no_parent(moved: int) -> None:
    merged = stacked([(B, 0)] * moved + [(B, 0), (B, 1), (A, 2), (A, 3)])
    found = mixture(sketched(A), {"base": sketched(BASE), "merged": sketched(merged)})
    assert (found.method, weights(found)) == ("single", {"base": 1.0})
    assert "blocks 2, 3 are those of 'merged', unchanged: one of the two models took them from the other" in found.notices
    beside = mixture(
        sketched(stacked([(A, 0), (A, 1), (A, 2), (random_model(7), 3)])), {"a": sketched(A), "b": sketched(random_model(7))}
    )
    assert (beside.method, weights(beside)) == ("passthrough", {"a": 0.75, "b": 0.25})


def test_blocks_that_moved_are_found_where_they_are_from() -> None:
    sources = [(A, 0), (A, 1), (A, 2), (B, 1), (B, 2), (B, 3), (B, 4), (B, 5)]
    found = mixture(sketched(stacked(sources)), CANDIDATES, "base")
    assert found.method == "passthrough"
    assert [(block.parent, block.parent_layer) for block in found.blocks] == [("a" if m is A else "b", at) for m, at in sources]
    assert not found.layers
    assert {each.name for each in found.excluded} == {"c"}


def test_what_differs_in_shape_is_left_out_and_said() -> None:
    child = combined([(0.7, A), (0.3, B)])
    child["embed", None] = np.vstack([child["embed", None], np.ones((5, 32))])
    found = mixture(sketched(child), CANDIDATES, "base")
    assert found.left_out == ("embed",)
    assert weights(found) == pytest.approx({"a": 0.7, "b": 0.3}, abs=1e-4)


def test_a_candidate_of_other_shapes_is_excluded_with_the_reason() -> None:
    narrow = sketched({("up", layer): np.ones((16, 8)) for layer in range(6)})
    found = mixture(sketched(combined([(0.7, A), (0.3, B)])), {**CANDIDATES, "narrow": narrow}, "base")
    (excluded,) = [each for each in found.excluded if each.name == "narrow"]
    assert excluded.p is None
    assert "shapes" in excluded.reason
    alone = mixture(sketched(A), {"narrow": narrow})
    assert alone.method == "none"
    assert alone.matrices == 0


def test_intervals_hold_the_truth_at_the_stated_rate() -> None:
    inside, trials = 0, 60
    for seed in range(trials):
        base = random_model(1000 + seed)
        parents = [tuned(base, 2000 + seed, 0.05), tuned(base, 3000 + seed, 0.05)]
        child = tuned(combined([(0.65, parents[0]), (0.35, parents[1])]), 4000 + seed, 0.02)
        found = mixture(sketched(child), {"base": sketched(base), "a": sketched(parents[0]), "b": sketched(parents[1])}, "base")
        (a,) = [each for each in found.parents if each.name == "a"]
        inside += a.low <= 0.65 <= a.high
    # Binomial(60, 0.95): fewer than 51 has a chance of 0.1 %.
    assert inside >= 51


@pytest.mark.parametrize("size", [0.003, 0.006, 0.012, 0.03])
def test_intervals_are_honest_when_task_vectors_are_of_the_size_of_rounding_steps(size: float) -> None:
    base = bfloat16(random_model(5))
    a, b = bfloat16(tuned(base, 6, size)), bfloat16(tuned(base, 7, size))
    child = sketched(bfloat16(combined([(0.7, a), (0.3, b)])))
    found = mixture(child, {"base": sketched(base), "a": sketched(a), "b": sketched(b)}, "base")
    truth = {"a": 0.7, "b": 0.3}
    for each in found.parents:
        assert each.low <= truth[each.name] <= each.high
    assert {each.name for each in found.parents} == {"a", "b"}
    if size < 0.01:
        assert found.widened > 0.01
    if size == 0.03:
        assert found.widened < 0.01
        assert weights(found) == pytest.approx(truth, abs=0.01)


def test_wrong_use_is_refused() -> None:
    child = sketched(A)
    with pytest.raises(UsageError, match="no candidates"):
        mixture(child, {})
    with pytest.raises(UsageError, match="not among the candidates"):
        mixture(child, CANDIDATES, "nobody")
    with pytest.raises(UsageError, match="different keys"):
        mixture(replace(child, key="0123456789abcdef"), CANDIDATES)
