"""What rounding to 16 bits does to the weights of a merge.

A merge of models whose differences are of the size of a rounding step is not linear any more: 0.7 a + 0.3 b lies between two
neighbouring bfloat16 numbers and is rounded to a. Least squares then finds 1 and 0. The set of weights that can lead to what was
found is the honest interval, and it is found by doing it: draw weights, round them as the models' traces say, merge, round, fit.
"""

from collections.abc import Sequence

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from tensorguard.fingerprint.sketches import Sketches
from tensorguard.probes.bits import normals
from tensorguard.signals.traces import TRACES

Array = NDArray[np.float64]

GRIDS = {"bf16": ml_dtypes.bfloat16, "f16": np.float16}
RELATIVE = {"bf16": 1.52e-3, "f16": 1.9e-4}
"""Root mean square of the relative rounding error: see `regression.STORAGE`; bfloat16 has three bits less."""

EXACT = 0.999
"""Share of values on a grid from which on all count as being there."""

_DRAWS = 1 << 14
_FITS = 8
_REACH = np.concatenate([-np.geomspace(1.0, 0.002, 28), [0.0], np.geomspace(0.002, 1.0, 28)])


def grid(model: Sketches, rows: Sequence[int]) -> str | None:
    """Return `bf16` or `f16` if (nearly) all values of these matrices are such numbers, else None."""
    traces = model.traces[list(rows)]
    for name in GRIDS:
        if float(np.median(traces[:, TRACES.index(name)])) >= EXACT:
            return name
    return None


def rounded(values: Array, kind: str | None) -> Array:
    """Return values rounded to a grid, or as they are."""
    return values if kind is None else values.astype(GRIDS[kind]).astype(np.float64)


def variance(kind: str | None) -> float:
    """Return the mean square of the relative rounding error of a grid."""
    return 0.0 if kind is None else RELATIVE[kind] ** 2


def widened(
    weight: Array, at: int, half: float, covariance: Array, grids: Sequence[str | None], sizes: Array
) -> tuple[float, float]:
    """Return which true values of one weight are compatible with the fitted ones.

    Args:
        weight: Fitted weights of all models but the reference, shape (k,).
        at: Which of them.
        half: Half width of its interval that noise alone explains.
        covariance: Mean products between the models' differences from the reference, in units of the mean square of the
            reference's weights, shape (k, k).
        grids: What the child, the reference, and each of the k models are rounded to.
        sizes: Root mean square of each matrix, which decides where the steps between numbers lie.

    Returns:
        The lowest and the highest; where no value within 1 of the fit is excluded, that is the bound.
    """
    child, first, *others = grids
    low, high = float(weight[at] - half), float(weight[at] + half)
    if child is None:
        return low, high
    unit = np.resize(sizes, _DRAWS)
    base = rounded(unit * normals(0, "rounding", 0, _DRAWS), first)
    values, vectors = np.linalg.eigh(covariance)
    drawn = np.stack([normals(0, "rounding", 1 + model, _DRAWS) for model in range(len(weight))])
    moves = unit * (vectors * np.sqrt(np.maximum(values, 0.0)) @ drawn)
    # What was measured are differences of rounded numbers: look for moves that give such after rounding.
    differences = moves
    for _ in range(_FITS):
        differences = np.stack([rounded(base + move, kind) - base for move, kind in zip(moves, others, strict=True)])
        seen_size = np.mean((differences / unit) ** 2, axis=1)
        moves *= np.sqrt(np.diag(covariance) / np.maximum(seen_size, 1e-30))[:, None]
    solve = np.linalg.pinv((differences / unit).T)[at] / unit
    seen = np.empty(len(_REACH))
    for step, move in enumerate(_REACH):
        true = weight.copy()
        true[at] += move
        seen[step] = solve @ (rounded(base + true @ differences, child) - base)
    below, above = _REACH[seen <= low], _REACH[seen >= high]
    lowest = float(weight[at] + (below[-1] if below.size else _REACH[0]))
    highest = float(weight[at] + (above[0] if above.size else _REACH[-1]))
    return min(low, lowest), max(high, highest)
