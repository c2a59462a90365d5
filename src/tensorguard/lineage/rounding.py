"""What rounding to 16 bits does to the weights of a merge.

A merge of models whose differences are of the size of a rounding step is not linear any more: 0.7 a + 0.3 b lies between two
neighbouring bfloat16 numbers and is rounded to a. Least squares then finds 1 and 0. The set of weights that can lead to what was
found is the honest interval, and it is found by doing it: draw weights, round them as the models' traces say, merge, round, fit.
"""

from collections.abc import Sequence

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from tensorguard.fingerprint.sketches import TRACES, Sketches
from tensorguard.probes.bits import normals

Array = NDArray[np.float64]

GRIDS = {"bf16": ml_dtypes.bfloat16, "f16": np.float16}
RELATIVE = {"bf16": 1.52e-3, "f16": 1.9e-4}
"""Root mean square of the relative rounding error: see `regression.STORAGE`; bfloat16 has three bits less."""

_EXACT = 0.999
_DRAWS = 1 << 14
_REACH = np.concatenate([-np.geomspace(1.0, 0.002, 28), [0.0], np.geomspace(0.002, 1.0, 28)])


def grid(model: Sketches, rows: Sequence[int]) -> str | None:
    """Return `bf16` or `f16` if (nearly) all values of these matrices are such numbers, else None."""
    traces = model.traces[list(rows)]
    for name in GRIDS:
        if float(np.median(traces[:, TRACES.index(name)])) >= _EXACT:
            return name
    return None


def rounded(values: Array, kind: str | None) -> Array:
    """Return values rounded to a grid, or as they are."""
    return values if kind is None else values.astype(GRIDS[kind]).astype(np.float64)


def intervals(weight: Array, reach: Array, covariance: Array, grids: Sequence[str | None]) -> list[tuple[float, float]]:
    """Return which true weights are compatible with fitted ones, one by one.

    Args:
        weight: Fitted weights of all models but the reference, shape (k,).
        reach: Half width of the interval of each that noise alone explains, shape (k,).
        covariance: Mean products between the models' differences from the reference, in units of the mean square of the
            reference's weights, shape (k, k).
        grids: What the child, the reference, and each of the k models are rounded to.

    Returns:
        (low, high) for each; where no answer is excluded within 1 of the fit, the bound is there.
    """
    child, first, *others = grids
    if child is None:
        return [(float(w - r), float(w + r)) for w, r in zip(weight, reach, strict=True)]
    base = rounded(normals(0, "rounding", 0, _DRAWS), first)
    values, vectors = np.linalg.eigh(covariance)
    mixing = vectors * np.sqrt(np.maximum(values, 0.0))
    moves = mixing @ np.stack([normals(0, "rounding", 1 + at, _DRAWS) for at in range(len(weight))])
    differences = np.stack([rounded(base + move, kind) - base for move, kind in zip(moves, others, strict=True)])
    solve = np.linalg.pinv(differences.T)

    def fitted(true: Array) -> Array:
        return np.asarray(solve @ (rounded(base + true @ differences, child) - base))

    found = []
    for at, (centre, half) in enumerate(zip(weight, reach, strict=True)):
        tried = centre + _REACH
        seen = np.empty(len(tried))
        for step, value in enumerate(tried):
            true = weight.copy()
            true[at] = value
            seen[step] = fitted(true)[at]
        low = tried[np.flatnonzero(seen <= centre - half)[-1:]]
        high = tried[np.flatnonzero(seen >= centre + half)[:1]]
        found.append((float(min([*low, centre - half])) if low.size else float(tried[0]),
                      float(max([*high, centre + half])) if high.size else float(tried[-1])))  # fmt: skip
    return found
