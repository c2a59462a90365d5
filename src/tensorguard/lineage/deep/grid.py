"""Quantisation grids: does a tensor lie on a few levels per group of neighbours, and are they the other tensor's values rounded?"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tensorguard.lineage.deep.base import Grid
from tensorguard.tensors.base import Float32

_GROUPS = (256, 128, 64, 32, 16)
_MOST_LEVELS = 255
_FIT = 0.9
"""Share of the groups that has to lie on a grid."""

_DISTINCT = 0.97
"""Share of distinct values among 32 neighbours, above which no grid is looked for: 8 bits leave about 0.9, free values 1."""

_OFF_GRID = 0.45
"""Largest root mean square distance from a lattice, as a share of that of values which are not on it (1 / sqrt(12) of a step)."""

_NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
"""Levels of NormalFloat4 (Dettmers et al. 2023, QLoRA, appendix E)."""

_FP4 = tuple(sign * x / 6 for sign in (-1, 1) for x in (0, 0.5, 1, 1.5, 2, 3, 4, 6))
"""Levels of E2M1 (OCP Microscaling 1.0)."""

_TABLES: dict[Literal["nf4", "fp4"], NDArray[np.float64]] = {"nf4": np.array(_NF4), "fp4": np.unique(_FP4)}


@dataclass(frozen=True, slots=True)
class _Lattice:
    """Evenly spaced levels of every group: step (groups, 1), steps between extremes (groups,), whether it fits (groups,)."""

    step: NDArray[np.float64]
    levels: NDArray[np.float64]
    fits: NDArray[np.bool_]


def find_grid(rows: Float32, columns: Float32, other_rows: Float32, other_columns: Float32) -> Grid | None:
    """Look for the grid of one tensor.

    Args:
        rows: A sample of whole rows, float32 of shape (r, n).
        columns: A sample of whole columns, as rows: float32 of shape (c, m).
        other_rows: The same rows of the other tensor, to tell what was rounded.
        other_columns: The same columns of the other tensor.

    Returns:
        The grid with the longest groups on at least 90 % of which it fits, rows first; None if there is none.
    """
    return _along("row", rows, other_rows) or _along("column", columns, other_columns)


def _along(axis: Literal["row", "column"], values: Float32, other: Float32) -> Grid | None:
    length = values.shape[1]
    if length < 32 or _distinct_share(values[:, : length // 32 * 32].reshape(-1, 32)) > _DISTINCT:
        return None
    for size in (length, *(g for g in _GROUPS if g < length)):
        used = length // size * size
        groups = values[:, :used].reshape(-1, size).astype(np.float64)
        partner = other[:, :used].reshape(-1, size).astype(np.float64)
        several = groups.max(1) > groups.min(1)
        groups, partner = groups[several], partner[several]
        if not len(groups):
            return None
        if (grid := _uniform(groups, partner) or _table(groups, partner)) is not None:
            whole = size == length
            return Grid(axis, size, whole, *grid)
    return None


_Found = tuple[int, int, Literal["uniform", "nf4", "fp4", "other"], float, float, float]


def _uniform(groups: NDArray[np.float64], partner: NDArray[np.float64]) -> _Found | None:
    lattice = _lattice(groups)
    fit = float(lattice.fits.mean())
    if fit < _FIT:
        return None
    kept = lattice.fits
    error = np.abs(groups[kept] - partner[kept])
    nearest = float((error <= 0.55 * lattice.step[kept]).mean())
    levels = int(np.quantile(lattice.levels[kept], 0.99))
    return levels, _bits(levels), "uniform", float(np.median(lattice.step[kept])), fit, nearest


def _table(groups: NDArray[np.float64], partner: NDArray[np.float64]) -> _Found | None:
    """Return sixteen uneven levels or less, of a known table or not."""
    ordered = np.sort(groups, axis=1)
    distinct = (np.diff(ordered, axis=1) > 0).sum(1) + 1
    few = distinct <= 16
    if groups.shape[1] < 48 or few.mean() < _FIT:
        return None
    levels = int(np.quantile(distinct[few], 0.99)) - 1
    absmax = np.abs(groups).max(1, keepdims=True)
    step = float(np.median(ordered[:, -1] - ordered[:, 0]) / max(levels, 1))
    for name, table in _TABLES.items():
        off = np.abs(groups / absmax - _closest(table, groups / absmax)).max(1)
        if (fit := float((off < 4e-3).mean())) >= _FIT:  # bfloat16 moves a level by 2^-9 at most
            rounded = _closest(table, partner / np.maximum(np.abs(partner).max(1, keepdims=True), 1e-300))
            nearest = float((np.abs(rounded - _closest(table, groups / absmax)) < 1e-9).mean())
            return levels, 4, name, step, fit, nearest
    return levels, _bits(levels), "other", step, float(few.mean()), float((np.abs(groups - partner) <= step).mean())


def _lattice(groups: NDArray[np.float64]) -> _Lattice:
    """Fit evenly spaced levels to each group; the step is a guess from its smallest gap or its extremes, corrected by the range."""
    ordered = np.sort(groups, axis=1)
    base, span = ordered[:, :1], ordered[:, -1:] - ordered[:, :1]
    gaps = np.diff(ordered, axis=1)
    gaps[gaps < 1e-5 * span] = np.inf
    gap = gaps.min(1, keepdims=True)
    largest = np.maximum(np.abs(ordered[:, :1]), np.abs(ordered[:, -1:]))
    guesses = [gap, gap / 2, gap / 3, *(span / n for n in (15, 255)), *(largest / n for n in (7, 8, 127, 128))]
    best = _Lattice(gap, np.full(len(groups), np.inf), np.zeros(len(groups), bool))
    for guess in guesses:
        step = span / np.maximum(np.rint(span / guess), 1)
        place = np.rint((groups - base) / step)
        step, off = _fitted(groups, place)
        count = place.max(1)
        better = (off < _OFF_GRID) & (count <= _MOST_LEVELS) & (count < best.levels)
        best = _Lattice(np.where(better[:, None], step, best.step), np.where(better, count, best.levels), best.fits | better)
    return best


def _fitted(groups: NDArray[np.float64], place: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the step by least squares, and the distance from the lattice as a share of what it is for free values.

    What is on a grid may have been rounded to 16 bits since, the extremes most of all: they alone do not give the step.
    """
    k, x = place - place.mean(1, keepdims=True), groups - groups.mean(1, keepdims=True)
    step = (k * x).sum(1, keepdims=True) / np.maximum((k * k).sum(1, keepdims=True), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.sqrt(np.square((x - k * step) / step).mean(1) * 12)
    return step, np.where(step[:, 0] > 0, off, np.inf)


def _closest(table: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    edges = (table[1:] + table[:-1]) / 2
    closest: NDArray[np.float64] = table[np.searchsorted(edges, values)]
    return closest


def _distinct_share(groups: Float32) -> float:
    ordered = np.sort(groups, axis=1)
    several = ordered[:, -1] > ordered[:, 0]
    if not several.any():
        return 1.0
    return float(((np.diff(ordered[several], axis=1) > 0).sum(1) + 1).mean() / groups.shape[1])


def _bits(levels: int) -> int:
    return max(1, int(np.ceil(np.log2(levels + 1))))
