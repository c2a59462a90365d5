"""The unit index: neurons of two models that read alike *and* carry the same number.

The order of a block's neurons is an accident of its initialisation: under the null hypothesis (independent initialisations, whatever
the data; after Zhu et al. 2025, arXiv 2502.12292) the second model's numbers are exchangeable, independently per block. Neurons are
matched by what they read alone; then the count c of matches with equal numbers has factorial moments of at most lambda^k,
lambda = sum over blocks of matches / neurons, because (n)_k / (h)_k <= (n / h)^k. So its generating function is at most that of a
Poisson variable, and Chernoff's bound, ln p <= c - lambda - c ln(c / lambda), is proven at every size. It stays valid when both
models share embeddings. Any permutation of neurons hides a copy from it.

Exchangeable are the numbers that training left. Whoever sorts neurons by strength, as some prunings do, leaves numbers that the
strongest neurons of any model have; so a number counts as drawn from no more than the span of the numbers in the table, which can
only make p larger and hardly does for neurons in no order. Sorting both models by what their neurons read would defeat it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.signals.null_draws import SMALLEST_LOG10_P

ALIKE = 0.5
"""Cosine of two readers in the fixed basis below which they are no match."""

_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class UnitTable:
    """The unit tables of one model's blocks.

    Attributes:
        index: Neurons' numbers, of shape (B, units), -1 for none.
        vectors: Their readers up to scale, of shape (B, units, n).
        count: Neurons per block, of shape (B,).
    """

    index: NDArray[np.int32]
    vectors: NDArray[np.int8]
    count: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class UnitEvidence:
    """What the unit tables say.

    Attributes:
        matched: Neurons matched by what they read.
        same: Those of them with the same number.
        expected: lambda, the most that is expected of `same` under the null.
        log10_p: The bound above, at least -300.
        per_pair: (matched, same) of each pair of blocks.
    """

    matched: int
    same: int
    expected: float
    log10_p: float
    per_pair: tuple[tuple[int, int], ...]


def unit_evidence(a: UnitTable, b: UnitTable, pairs: Sequence[tuple[int, int]]) -> UnitEvidence:
    """Test whether neurons of paired blocks carry the same numbers.

    Args:
        a: The first model's tables.
        b: The second's.
        pairs: (block of a, block of b), no block twice, chosen without regard to the order of neurons: all of what is proven is
            conditional on the pairs. Operators are blind to that order, so pairs found by them cost nothing.
    """
    counts = []
    expected = 0.0
    for first, second in pairs:
        in_a, in_b = a.index[first] >= 0, b.index[second] >= 0
        ours, theirs = _matches(a.vectors[first][in_a], b.vectors[second][in_b])
        equal = a.index[first][in_a][ours] == b.index[second][in_b][theirs]
        counts.append((len(equal), int(equal.sum())))
        expected += len(equal) / max(1, min(_numbers(a, first), _numbers(b, second)))
    matched, same = (sum(each[i] for each in counts) for i in (0, 1))
    return UnitEvidence(matched, same, expected, log10_bound(same, expected), tuple(counts))


def _numbers(table: UnitTable, block: int) -> int:
    """Return how many numbers a neuron of a block may carry, at least: different neurons, and no more than the span of those seen."""
    seen = table.index[block][table.index[block] >= 0]
    return min(int(table.count[block]), int(seen.max() - seen.min()) + 1) if len(seen) else 0


def log10_bound(count: int, expected: float) -> float:
    """Return log10 of Chernoff's bound that a count is reached whose factorial moments are at most a Poisson variable's."""
    if count <= expected or not count:
        return 0.0
    natural = count - expected - count * np.log(count / expected)
    return max(SMALLEST_LOG10_P, float(natural / np.log(10)))


def _matches(A: NDArray[np.int8], B: NDArray[np.int8]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return positions of mutual nearest neighbours above the floor.

    A neuron whose nearest is tied has no match: a tie must not be broken by position, which could carry the number.
    """
    if not len(A) or not len(B):
        return np.empty(0, np.intp), np.empty(0, np.intp)
    alike = _unit(A) @ _unit(B).T
    nearest, chosen = alike >= alike.max(1, keepdims=True) - _TIE, alike >= alike.max(0, keepdims=True) - _TIE
    single = (nearest.sum(1, keepdims=True) == 1) & (chosen.sum(0, keepdims=True) == 1)
    first, second = np.nonzero(nearest & chosen & single & (alike >= ALIKE))
    return first, second


def _unit(vectors: NDArray[np.int8]) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    unit: NDArray[np.float64] = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-9)
    return unit
