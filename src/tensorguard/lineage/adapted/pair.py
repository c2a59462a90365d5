"""An adapter against an adapter, through their factors alone: no matrix of a model's size is ever made."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tensorguard.adapters.deltas import Delta
from tensorguard.lineage.adapted.layers import Correspondence, Role, correspondence, inner_basis
from tensorguard.signals.null_draws import SMALLEST_LOG10_P

Array = NDArray[np.float64]
Verdict = Literal["identical", "same-weights", "derived", "same-start", "independent", "inconclusive"]

ALARM = -6.0
"""log10 p below which chance is ruled out."""

SAME_WEIGHTS = 0.02
"""Relative difference that casts leave: BF16 factors differ by 2^-9 each, 8-bit floats by 2^-4 / sqrt(3) each, which is more."""

DERIVED = 0.3
"""Least cosine of adapters of one start to speak of derivation. Measured: 0.59 after training on, on other data and for longer than
before; 0.17 at most between adapters of one seed trained on different data."""

UNTESTED = 0.9
"""The same where the start cannot be tested, since ranks differ. Measured: at most 0.40 between independent runs on the same data."""


@dataclass(frozen=True, slots=True)
class MatrixPair:
    """Two deltas of one place.

    Attributes:
        role: Role of the matrix.
        layer: Block index, or None.
        expert: Expert index, or None.
        shape: (out, in).
        ranks: r of both.
        cosine: Of the two products, exact: through traces of r x r matrices.
        difference: |D1 - D2| / max(|D1|, |D2|), exact too.
        rows: Mean squared cosine of the principal angles between the row spaces (of A).
        columns: Likewise of the column spaces (of B).
        start: Cosine of the two A as they stand, entry by entry; None where ranks differ.
    """

    role: str
    layer: int | None
    expert: int | None
    shape: tuple[int, int]
    ranks: tuple[int, int]
    cosine: float
    difference: float
    rows: float
    columns: float
    start: float | None


@dataclass(frozen=True, slots=True)
class AdapterPair:
    """How two adapters are related.

    Attributes:
        verdict: `identical`: equal factors and scales; `same-weights`: equal products up to rounding, however factored; `derived`: one
            trained on, or both from one run; `same-start`: the random A they began from is the same (one seed), the training is not;
            `independent`: they began from different A and are not alike; else `inconclusive`.
        matrices: Every common place.
        only: How many places only the first has, and only the second.
        cosine: Of everything the two add, as one vector; None if no place is common.
        difference: Relative difference of everything.
        start: Mean cosine of the A.
        start_log10_p: log10 of a proven bound on the p-value of that: under the null that the A were drawn independently.
        layers: Whether layers answer to layers: evidence of one base, or of relatives.
    """

    verdict: Verdict
    matrices: tuple[MatrixPair, ...]
    only: tuple[int, int]
    cosine: float | None
    difference: float | None
    start: float | None
    start_log10_p: float
    layers: Correspondence


def compare_deltas(first: Sequence[Delta], second: Sequence[Delta], *, whole: bool = True) -> AdapterPair:
    """Compare two adapters.

    Args:
        first: What one adds.
        second: What the other adds.
        whole: Whether all that is not a delta (magnitudes, biases, whole tensors) is equal too.
    """
    theirs = {_key(delta): delta for delta in second}
    pairs = [(delta, theirs[_key(delta)]) for delta in first if _key(delta) in theirs]
    pairs = [(a, b) for a, b in pairs if a.shape == b.shape]
    only = len(first) - len(pairs), len(second) - len(pairs)
    matrices = tuple(_compare(a, b) for a, b in pairs)
    cosine, difference = _together(pairs)
    start, log10_p = shared_start(pairs)
    layers = correspondence(_tables(pairs))
    equal = only == (0, 0) and bool(pairs) and all(_equal(a, b) for a, b in pairs)
    found = "identical" if equal and whole else _verdict(cosine, difference, start, log10_p, only)
    return AdapterPair(found, matrices, only, cosine, difference, start, log10_p, layers)


def shared_start(pairs: Sequence[tuple[Delta, Delta]]) -> tuple[float | None, float]:
    """Return the mean cosine of the A of equal rank, and log10 of a bound on its p-value.

    The null: the A were drawn independently, entries symmetric and alike. Training by Adam or SGD from B = 0 commutes with signed
    permutations P of the r components, (A, B) -> (P A, B P^T), so that the trained pair is as likely as any of its images, whatever the
    base, the data and the number of steps. T = sum of tr(P K), K = A1 A2^T / |A1||A2|; over the signs alone, given the permutation, T is
    a sum of independent symmetric terms of at most max_j |K_kj|, hence P(T >= t) <= exp(-t^2 / 2 sum of these squares) (Hoeffding 1963).
    """
    total, bound, count = 0.0, 0.0, 0
    for a, b in pairs:
        sizes = float(np.linalg.norm(a.down) * np.linalg.norm(b.down))
        if a.rank != b.rank or not sizes > 0:
            continue
        K = a.down @ b.down.T / sizes
        total += float(np.trace(K))
        bound += float((K**2).max(1).sum())
        count += 1
    if not count:
        return None, 0.0
    log10_p = -(max(0.0, total) ** 2) / (2 * bound) / np.log(10) if bound else 0.0
    return total / count, max(SMALLEST_LOG10_P, float(log10_p))


def _verdict(
    cosine: float | None, difference: float | None, start: float | None, log10_p: float, only: tuple[int, int]
) -> Verdict:
    if cosine is None or difference is None:
        return "inconclusive"
    if difference <= SAME_WEIGHTS:
        return "same-weights" if only == (0, 0) else "derived"
    if start is None:
        return "derived" if cosine >= UNTESTED else "inconclusive"
    if log10_p < ALARM:
        return "derived" if cosine >= DERIVED else "same-start"
    return "independent" if cosine < UNTESTED else "inconclusive"


def _key(delta: Delta) -> tuple[object, ...]:
    return (delta.module, *delta.place) if delta.role == "other" else delta.place


def _equal(a: Delta, b: Delta) -> bool:
    return a.scale == b.scale and np.array_equal(a.up, b.up) and np.array_equal(a.down, b.down)


def _product(a: Delta, b: Delta) -> float:
    """Return tr(D1^T D2) by r x r matrices."""
    return a.scale * b.scale * float(np.sum((a.up.T @ b.up) * (a.down @ b.down.T)))


def _compare(a: Delta, b: Delta) -> MatrixPair:
    product, sizes = _product(a, b), (a.norm, b.norm)
    start = None
    if a.rank == b.rank:
        start = _ratio(float(np.sum(a.down * b.down)), float(np.linalg.norm(a.down) * np.linalg.norm(b.down)))
    return MatrixPair(
        a.role,
        a.layer,
        a.expert,
        a.shape,
        (a.rank, b.rank),
        _ratio(product, sizes[0] * sizes[1]),
        _difference(product, *sizes),
        _angles(a.down.T, b.down.T),
        _angles(a.up, b.up),
        start,
    )


def _together(pairs: Sequence[tuple[Delta, Delta]]) -> tuple[float | None, float | None]:
    if not pairs:
        return None, None
    product = sum(_product(a, b) for a, b in pairs)
    first, second = (float(np.sqrt(sum(pair[side].norm ** 2 for pair in pairs))) for side in (0, 1))
    return _ratio(product, first * second), _difference(product, first, second)


def _ratio(product: float, size: float) -> float:
    return max(-1.0, min(1.0, product / size)) if size > 0 else 0.0


def _difference(product: float, first: float, second: float) -> float:
    """Return |D1 - D2| over the larger norm (0 for two zeros, of different factors too), to about 1e-8, the root of the rounding."""
    larger = max(first, second)
    return float(np.sqrt(max(0.0, first**2 - 2 * product + second**2))) / larger if larger > 0 else 0.0


def _angles(a: Array, b: Array) -> float:
    """Return the mean squared cosine of the principal angles between column spaces; 1 if the smaller lies in the larger."""
    bases = [_basis(each) for each in (a, b)]
    rank = min(each.shape[1] for each in bases)
    return float(np.sum((bases[0].T @ bases[1]) ** 2) / rank) if rank else 0.0


def _basis(a: Array) -> Array:
    U, sizes, _ = np.linalg.svd(a, full_matrices=False)
    basis: Array = U[:, sizes > sizes[0] * 1e-6] if sizes[0] > 0 else U[:, :0]
    return basis


def _tables(pairs: Sequence[tuple[Delta, Delta]]) -> Mapping[Role, Array]:
    """Return S[i, j], the overlap of the inner spaces of layer i of the first and layer j of the second, by role."""
    bases: defaultdict[tuple[str, str, tuple[int, int]], list[tuple[Array, Array]]] = defaultdict(list)
    for a, b in pairs:
        one, other = inner_basis(a), inner_basis(b)
        if one is not None and other is not None:
            bases[a.stack, a.role, a.shape].append((one, other))
    tables: dict[Role, Array] = {}
    for (stack, role, _), found in bases.items():
        if len(found) > len(tables.get((stack, role), ())):
            tables[stack, role] = np.array([[np.sum((one.T @ other) ** 2) for _, other in found] for one, _ in found])
    return tables
