"""From the sums of a pair to what it means."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tensorguard.lineage.deep.base import Grid, Kind, Side, Spectrum, TensorComparison, Zeros
from tensorguard.lineage.deep.grid import find_grid
from tensorguard.lineage.deep.pairs import Pair
from tensorguard.lineage.deep.rounding import MANTISSA, rounding_energy
from tensorguard.lineage.deep.tasks import Sums

UNRELATED = 0.1
"""Cosines below it are no relation."""

ALIKE = 0.5
"""Cosine below which a matrix may hide a disguise, and a difference is no update."""

WITHIN_ROUNDING = "within rounding"
"""Detail of a difference that is no larger than rounding both tensors to the precision they are stored in would make."""

_ROUNDING = 4.0
"""How many times the expected rounding error a scaling may leave."""

_LOW = 4
"""A low rank is at most this part of what the shape allows; decaying updates sink into rounding below half of it."""

_PRUNED = 0.005
"""Fewer extra zeros, as a share of all values, are no pruning."""

_NUMERICAL = 1e-12


def compare_sums(pair: Pair, sums: Sums) -> tuple[TensorComparison, float]:
    """Say all that one reading says of a pair.

    Returns:
        The comparison without spectrum, of kind `full` where only a spectrum could tell more, and the squared error that rounding
        both tensors to the precision they are stored in is expected to make.
    """
    m, n = pair.shape
    size = max(m * n, 1)
    rows = np.concatenate(sums.rows, axis=1) if sums.rows else np.zeros((3, 0))
    ab, aa, bb = (float(each.sum()) for each in rows)
    precisions = [_precision(sums, side, size) for side in ("first", "second")]
    rounding = sum(rounding_energy(float(p), dtype) for p, dtype in zip(sums.powers, precisions, strict=True))
    found = TensorComparison(
        stack=pair.first.stack,
        layer=pair.first.layer,
        other_layer=pair.second.layer,
        role=pair.role,
        expert=pair.first.expert,
        shape=pair.shape,
        cosine=_cosine(ab, aa, bb),
        difference=float(np.sqrt(sums.energy / bb)) if bb > 0 else float(sums.energy > 0),
        scale=ab / bb if bb > 0 else 0.0,
        equal=sums.count("equal") / size,
        bf16=(sums.count("bf16_first") / size, sums.count("bf16_second") / size),
        row_cosine=_median_cosine(rows),
        column_cosine=_median_cosine(sums.columns),
        zeros=_zeros(sums, size),
        grids=_grids(pair, sums),
        spectrum=None,
        kind="full",
        made="",
    )
    kind, made, detail = _kind(found, sums, rows, rounding)
    return replace(found, kind=kind, made=made, detail=detail), rounding


def worth_a_spectrum(found: TensorComparison) -> bool:
    """Return whether a low rank could be a better explanation than what the first reading found."""
    return found.kind in ("full", "quantised") and found.detail != WITHIN_ROUNDING and min(found.shape) > 1


def with_spectrum(found: TensorComparison, spectrum: Spectrum) -> TensorComparison:
    """Add the spectrum of the difference to a comparison, and let it decide for `low-rank`.

    A base that was quantised once and lies on a grid still is told from its merged LoRA by that: the one off the grid was made.
    """
    low = spectrum.rank is not None and _LOW * spectrum.rank <= min(found.shape) and found.cosine > ALIKE
    if not low:
        return replace(found, spectrum=spectrum)
    first, second = found.grids
    made: Side = "" if (first is None) == (second is None) else "first" if second else "second"
    return replace(found, spectrum=spectrum, kind="low-rank", made=made, detail="")


def _kind(found: TensorComparison, sums: Sums, rows: NDArray[np.float64], rounding: float) -> tuple[Kind, Side, str]:
    size = found.shape[0] * found.shape[1]
    if sums.count("equal") == size:
        return "identical", "", ""
    for dtype in ("bf16", "f16"):
        for side, other in (("first", "second"), ("second", "first")):
            if sums.count(f"{side}_is_{dtype}") == size and sums.count(f"{dtype}_{other}") < size:
                return "cast", "first" if side == "first" else "second", dtype
    zeros = found.zeros
    if abs(zeros.first - zeros.second) > _PRUNED and zeros.surviving > 0.999:
        return "pruned", "first" if zeros.first > zeros.second else "second", ""
    if abs(found.cosine) < UNRELATED and abs(found.row_cosine) < UNRELATED and abs(found.column_cosine) < UNRELATED:
        return "unrelated", "", ""
    first, second = found.grids
    if (first is None) != (second is None) and (grid := first or second) and _rounded(found, grid):
        return "quantised", "first" if first else "second", _name(grid)
    if sums.energy <= _ROUNDING * rounding:
        return "full", "", WITHIN_ROUNDING
    if (how := _scaling(found, sums, rows, rounding)) is not None:
        return "scaled", "", how
    return "full", "", ""


def _rounded(found: TensorComparison, grid: Grid) -> bool:
    """Whether a difference is small enough for rounding, or for what adapts values while it rounds them (GPTQ)."""
    return grid.nearest > 0.9 or found.cosine > 0.9


def _name(grid: Grid) -> str:
    book = "" if grid.codebook == "uniform" else f" {grid.codebook}"
    per = grid.axis if grid.whole else f"{grid.group} of a {grid.axis}"
    return f"{grid.bits} bits{book} per {per}"


def _scaling(found: TensorComparison, sums: Sums, rows: NDArray[np.float64], rounding: float) -> str | None:
    """Return what the first is a multiple of: of the whole second, of its rows or of its columns; None if of none."""
    for how, products in (("whole", rows.sum(1, keepdims=True)), ("rows", rows), ("columns", sums.columns)):
        if how != "whole" and min(found.shape) == 1:
            continue  # numbers by themselves are always multiples
        ab, aa, bb = products
        with np.errstate(divide="ignore", invalid="ignore"):
            fitted = np.where(bb > 0, ab * ab / bb, 0)
        if float((aa - fitted).sum()) <= max(_ROUNDING * rounding, _NUMERICAL * float(aa.sum())):
            return f"{how}, some with the other sign" if how != "whole" and (ab < 0).any() else how
    return None


def _zeros(sums: Sums, size: int) -> Zeros:
    first, second, both = (sums.count(f"zeros_{name}") for name in ("first", "second", "both"))
    side = "first" if first >= second else "second"
    nonzero = size - max(first, second)
    held = max(sums.count(name) for name in ("equal", f"{side}_is_bf16", f"{side}_is_f16")) - both
    return Zeros(first / size, second / size, both / second if second else 0.0, held / nonzero if nonzero else 0.0)


def _grids(pair: Pair, sums: Sums) -> tuple[Grid | None, Grid | None]:
    if min(pair.shape) < 2 or sums.energy == 0:
        return None, None
    rows = np.concatenate(sums.sampled_rows, axis=1)
    columns = np.ascontiguousarray(np.concatenate(sums.sampled_columns, axis=1).swapaxes(1, 2))
    return find_grid(rows[0], columns[0], rows[1], columns[1]), find_grid(rows[1], columns[1], rows[0], columns[0])


def _precision(sums: Sums, side: str, size: int) -> str:
    """Return the coarsest floating type that holds all values."""
    return next((dtype for dtype in MANTISSA if dtype != "f32" and sums.count(f"{dtype}_{side}") == size), "f32")


def _cosine(ab: float, aa: float, bb: float) -> float:
    return float(np.clip(ab / np.sqrt(aa) / np.sqrt(bb), -1, 1)) if aa > 0 and bb > 0 else 0.0


def _median_cosine(products: NDArray[np.float64]) -> float:
    ab, aa, bb = products[:, (products[1] > 0) & (products[2] > 0)]
    return float(np.median(np.clip(ab / np.sqrt(aa) / np.sqrt(bb), -1, 1))) if len(ab) else 0.0
