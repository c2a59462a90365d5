"""Two adapters through their factors: against the whole matrices, and the p-value of a common start against the draws it bounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import subspace_angles

from tensorguard.adapters.deltas import Delta
from tensorguard.lineage.adapted.pair import compare_deltas, shared_start

SHAPES = {"q": (24, 20), "down": (20, 36)}


def made(seed: int, *, rank: int = 3, layers: int = 4, scale: float = 2.0, start: int | None = None) -> list[Delta]:
    rng, first = np.random.default_rng(seed), np.random.default_rng(seed if start is None else start)
    return [
        Delta(
            f"{layer}.{role}",
            role,
            layer,
            "decoder",
            None,
            rng.standard_normal((rows, rank)),
            first.standard_normal((rank, columns)),
            scale,
        )
        for layer in range(layers)
        for role, (rows, columns) in SHAPES.items()
    ]


def whole(delta: Delta) -> np.ndarray:
    return delta.scale * delta.up @ delta.down


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_every_number_is_that_of_the_whole_matrices(seed: int, first: int, second: int) -> None:
    ours, theirs = made(seed, rank=first), made(seed + 1, rank=second, scale=-0.7)
    found = compare_deltas(ours, theirs)
    for pair, a, b in zip(found.matrices, ours, theirs, strict=True):
        A, B = whole(a), whole(b)
        assert pair.cosine == pytest.approx(np.sum(A * B) / np.linalg.norm(A) / np.linalg.norm(B), abs=1e-9)
        larger = max(np.linalg.norm(A), np.linalg.norm(B))
        assert pair.difference == pytest.approx(np.linalg.norm(A - B) / larger, abs=1e-6)
        assert pair.columns == pytest.approx(np.mean(np.cos(subspace_angles(A, B)[-min(first, second) :]) ** 2), abs=1e-6)
        assert pair.rows == pytest.approx(np.mean(np.cos(subspace_angles(a.down.T, b.down.T)) ** 2), abs=1e-9)
    A, B = (np.concatenate([whole(each).ravel() for each in side]) for side in (ours, theirs))
    assert found.cosine == pytest.approx(A @ B / np.linalg.norm(A) / np.linalg.norm(B), abs=1e-9)


def test_equal_factors_are_identical_unless_something_else_differs() -> None:
    assert compare_deltas(made(1), made(1)).verdict == "identical"
    assert compare_deltas(made(1), made(1), whole=False).verdict == "same-weights"


def test_other_factors_of_the_same_product_and_rounded_ones_are_the_same_weights() -> None:
    mixed, rounded = [], []
    for delta in made(1):
        mix = np.random.default_rng(2).standard_normal((3, 3))
        mixed.append(changed(delta, delta.up @ mix, np.linalg.inv(mix) @ delta.down))
        rounded.append(changed(delta, delta.up.astype(np.float16), delta.down.astype(np.float16)))
    for others in (mixed, rounded):
        found = compare_deltas(made(1), others)
        assert (found.verdict, found.cosine) == ("same-weights", pytest.approx(1))


def test_trained_on_same_seed_and_independent() -> None:
    first = made(1, layers=8)
    noise = np.random.default_rng(5)
    further = [
        changed(d, d.up + 0.5 * noise.standard_normal(d.up.shape), d.down + 0.3 * noise.standard_normal(d.down.shape))
        for d in first
    ]
    assert compare_deltas(first, further).verdict == "derived"
    assert compare_deltas(first, made(2, layers=8, start=1)).verdict == "same-start"
    assert compare_deltas(first, made(2, layers=8)).verdict == "independent"
    assert compare_deltas(first, made(2, layers=8, rank=2)).verdict == "inconclusive"  # other ranks: the start cannot be tested
    assert compare_deltas(first, first[:4]).verdict == "derived"


def test_no_common_place() -> None:
    found = compare_deltas(made(1, layers=1)[:1], made(1, layers=1)[1:])
    assert (found.verdict, found.cosine, found.only, found.layers.test) == ("inconclusive", None, (1, 1), None)


def test_the_bound_on_a_common_start_holds() -> None:
    """Signed permutations of the components are the null: no more than p of them may reach a value that has bound p."""
    a, b = made(1, layers=2), made(2, layers=2)
    rng = np.random.default_rng(3)
    found = []
    for _ in range(2000):
        drawn = []
        for delta in b:
            order, signs = rng.permutation(delta.rank), rng.choice([-1.0, 1.0], delta.rank)
            drawn.append(changed(delta, delta.up[:, order] * signs, delta.down[order] * signs[:, None]))
        found.append(shared_start(list(zip(a, drawn, strict=True)))[1])
    p = 10 ** np.array(found)
    assert all(np.mean(p <= level) <= level for level in (0.5, 0.2, 0.05, 0.01))
    assert shared_start(list(zip(a, a, strict=True)))[1] < -2


def changed(delta: Delta, up: np.ndarray, down: np.ndarray) -> Delta:
    return Delta(
        delta.module, delta.role, delta.layer, delta.stack, delta.expert, up.astype(float), down.astype(float), delta.scale
    )
