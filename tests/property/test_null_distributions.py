"""P-values under their null hypotheses: never smaller than they should be, by simulation.

One-sided DKW band (Massart 1990): of n p-values that are uniform or larger, the share at or below t exceeds t by more than
sqrt(ln(1 / alpha) / 2n) anywhere with probability at most alpha.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from tensorguard.lineage.alignment import path_scores
from tensorguard.lineage.operator_tests import operator_tests
from tensorguard.signals.correlation import correlate, hidden_basis
from tensorguard.signals.null_draws import judge
from tensorguard.signals.operator_evidence import Operators, fixed_basis, rotated_means
from tensorguard.signals.rotations import UNEVEN, haar
from tensorguard.signals.units import UnitTable, unit_evidence

ALPHA = 1e-4
KINDS = ("even", "common direction", "common product", "few directions")


def assert_conservative(log10_p: list[float] | NDArray[np.float64]) -> None:
    p = np.sort(10.0 ** np.asarray(log10_p))
    above = np.arange(1, len(p) + 1) / len(p) - p
    assert above.max() <= np.sqrt(np.log(1 / ALPHA) / (2 * len(p)))


def operators(kind: str, rng: np.random.Generator, blocks: int, size: int) -> Operators:
    """Operators of a model: its blocks may have in common what a trained model's have."""
    M = rng.standard_normal((blocks, 5, size, size))
    u, v = (each / np.linalg.norm(each, axis=-1, keepdims=True) for each in rng.standard_normal((2, 5, size)))
    if kind == "common direction":
        M += 2 * size * np.einsum("oi,oj->oij", u, u)
    if kind == "common product":
        M += 2 * size * np.einsum("oi,oj->oij", u, v)
    if kind == "few directions":
        decay = 2.0 ** (-np.arange(size) / 2)
        Q = np.linalg.qr(rng.standard_normal((size, size)))[0]
        M = Q.T @ (M * decay[:, None] * decay) @ Q
    return fixed_basis(np.round(127 * M / np.abs(M).max((2, 3), keepdims=True)).astype(np.int8))


@pytest.mark.parametrize("kind", KINDS)
def test_operators_of_independent_models(kind: str) -> None:
    rng = np.random.default_rng([1, KINDS.index(kind)])
    found = []
    for pair in range(120):
        tests = operator_tests(operators(kind, rng, 3, 12), operators(kind, rng, 3 + pair % 3, 12))
        assert tests is not None
        found.append([tests.tests["all"].log10_p, tests.tests["mlp"].log10_p, tests.reordered.log10_p])
    for column in np.array(found).T:
        assert_conservative(column)


@pytest.mark.parametrize("kind", KINDS)
def test_far_tails_of_the_extrapolation(kind: str) -> None:
    """10,240 draws, each judged by 256 others: p-values of 1e-2 and 1e-3 occur no more often than that, up to a tolerance."""
    rng = np.random.default_rng([2, KINDS.index(kind)])
    A, B = operators(kind, rng, 2, 12), operators(kind, rng, 3, 12)
    rotations = haar(12, 10_240)
    T = np.concatenate([path_scores(means[:, 0]) for means in rotated_means(A, B, [range(5)], rotations)]).reshape(-1, 256)
    p = np.array([judge(float(t), null).log10_p for null, others in zip(T, np.roll(T, 1, axis=0), strict=True) for t in others])
    for level in (1e-2, 1e-3):
        assert (p <= np.log10(level)).mean() <= 1.5 * level
    assert p.min() > -7


def test_a_composite_null_at_its_edge() -> None:
    """An effect as large as the margin allows, in every pair."""
    rng = np.random.default_rng(3)
    found, effect = [], 0.2
    for _ in range(150):
        A, B = (operators("even", rng, 3, 12) for _ in "AB")
        shared = effect * A + np.sqrt(1 - effect**2) * B
        tests = operator_tests(
            A,
            shared / np.linalg.norm(shared, axis=(2, 3), keepdims=True),
            margin=dict.fromkeys(("all", "attention", "mlp"), effect),
        )
        assert tests is not None
        found.append(tests.tests["all"].log10_p)
    assert_conservative(found)


def test_response_sketches_of_independent_models() -> None:
    """Turned by rotations that hidden bases share, with directions common to all matrices."""
    rng = np.random.default_rng(4)
    roles = [(role, layer) for layer in range(3) for role in ("q", "o", "gate", "up", "down")]
    bases = [hidden_basis(role, layer, "language") for role, layer in roles]
    common = 3 * rng.standard_normal(16)
    found = []
    for _ in range(150):
        pair = []
        for _ in "AB":
            turned = {basis: np.linalg.qr(rng.standard_normal((64, 64)))[0] for basis in bases}
            column = rng.standard_normal((64, 1))
            pair.append(
                np.stack([turned[b] @ (rng.standard_normal((64, 16)) + column * common) for b in bases]).astype(np.float32)
            )
        mean = np.zeros((len(bases), 16), np.float32)
        found.append(correlate(pair[0], mean, pair[1], mean, bases, [(10**6, 10**6)] * len(bases)).test)
    assert_conservative([test.log10_p for test in found])
    assert np.std([test.z for test in found]) == pytest.approx(1 / np.sqrt(UNEVEN), abs=0.17)


def test_unit_indices_of_independent_models() -> None:
    rng = np.random.default_rng(5)
    found = []
    for _ in range(400):
        vectors = rng.integers(-127, 128, (4, 64, 32)).astype(np.int8)
        tables = []
        for _ in "AB":
            index = np.stack([rng.permutation(80)[:64] for _ in range(4)]).astype(np.int32)
            tables.append(UnitTable(index, vectors, np.full(4, 80, np.int32)))
        found.append(unit_evidence(*tables, [(block, block) for block in range(4)]).log10_p)
    assert_conservative(found)
