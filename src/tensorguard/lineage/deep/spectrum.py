"""Rank and spectrum of the difference D = A - B from two readings.

The first gives Z = D^T P for 96 columns of signs P, the second D Q for an orthonormal basis Q of Z (Halko, Martinsson and Tropp 2011,
with the sides exchanged, so that what is held depends on the columns of D alone). If the rank of D is below 96, Q spans its rows and
the singular values of D Q are D's; else they are lower bounds.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.lineage.deep.base import Spectrum
from tensorguard.lineage.deep.tasks import SKETCH, Range, tiles

_TOP = (8, 16, 32, 64)

_NUMERICAL = 1e-9
"""Share of the energy that is as good as nothing."""

_ROUNDING = 3.0
"""How many times the expected energy of rounding may be left beside a low rank: merges round more than once."""


@dataclass(frozen=True, slots=True)
class Projection:
    """A range of a pair, and the basis Q that its difference is projected on: float64 of shape (columns, k)."""

    range: Range
    Q: NDArray[np.float64]


def basis(sketch: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an orthonormal basis of the columns of Z: float64 of shape (columns, min(columns, 96))."""
    scale = np.abs(sketch).max()
    Q, _ = np.linalg.qr(sketch / (scale or 1.0))
    return np.ascontiguousarray(Q)


def project(task: Projection) -> NDArray[np.float64]:
    """Return (D Q)^T (D Q) of a range, float64 of shape (k, k).

    Raises:
        InputError: The weights cannot be read or decoded.
    """
    gram = np.zeros((task.Q.shape[1],) * 2)
    for _, A, B in tiles(task.range):
        O = (A - B).astype(np.float64) @ task.Q  # noqa: E741
        gram += O.T @ O
    return gram


def fold_projections(parts: Iterator[NDArray[np.float64]], count: int, size: int) -> NDArray[np.float64]:
    """Add up the next `count` ranges of one pair, in row order."""
    gram = np.zeros((size, size))
    for _ in range(count):
        gram += next(parts)
    return gram


def spectrum(gram: NDArray[np.float64], energy: float, rounding: float, shape: tuple[int, int]) -> Spectrum:
    """Read rank and energies off the squared singular values of D Q.

    Args:
        gram: (D Q)^T (D Q).
        energy: ||D||_F^2, above 0.
        rounding: Expected part of it that is rounding of A and B.
        shape: Of D.
    """
    squares = np.clip(np.linalg.eigvalsh(gram)[::-1], 0, None)
    reached = np.cumsum(squares)
    left = 1 - reached / energy
    tolerance = max(_NUMERICAL, _ROUNDING * rounding / energy)
    enough = np.flatnonzero(np.r_[1.0, left] <= tolerance)
    rank = int(enough[0]) if len(enough) else None
    if rank is not None and (rank == 0 or rank >= min(SKETCH, *shape)):
        rank = None
    top = [min(1.0, float(reached[min(k, len(reached)) - 1] / energy)) for k in _TOP]
    return Spectrum(
        rank=rank,
        stable_rank=float(energy / squares[0]) if squares[0] > 0 else 0.0,
        energy=(top[0], top[1], top[2], top[3]),
        rounding=min(1.0, rounding / energy),
    )
