"""Traces that a treatment leaves in values: zeros of pruning, few distinct values of quantisation, the precision they were stored in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.tensors.base import Float32

TRACES = ("rms", "zeros", "bf16", "f16", "distinct_32", "distinct_row", "largest")
"""Per tensor: root mean square; share of zeros; and of a sample of rows: shares of values that bfloat16 and float16 hold exactly, mean
number of distinct values among 32 neighbours and among up to 1024 neighbours of a row, largest magnitude."""

_ROWS = 8
"""Rows sampled of every range of rows."""

_NEIGHBOURS = 1024


@dataclass(slots=True)
class Traces:
    """Sums over ranges of rows of one matrix."""

    elements: int = 0
    squares: float = 0.0
    zeros: int = 0
    sampled: int = 0
    bf16: int = 0
    f16: int = 0
    groups: int = 0
    distinct: int = 0
    rows: int = 0
    row_distinct: int = 0
    largest: float = 0.0

    def see(self, W: Float32, total: float) -> None:
        """Take in a block of rows, finite float32 of shape (rows, d), and the sum of its squares."""
        self.elements += W.size
        self.zeros += W.size - int(np.count_nonzero(W != 0))
        self.squares += total

    def see_sample(self, W: Float32) -> None:
        """Look closely at the first rows of a range, finite float32 of shape (rows, d)."""
        sample = np.ascontiguousarray(W[:_ROWS, :_NEIGHBOURS])
        self.sampled += sample.size
        self.bf16 += int(np.count_nonzero((sample.view(np.uint32) & np.uint32(0xFFFF)) == 0))
        with np.errstate(over="ignore", invalid="ignore"):
            self.f16 += int(np.count_nonzero(sample.astype(np.float16).astype(np.float32) == sample))
        self.largest = max(self.largest, float(np.abs(sample).max(initial=0)))
        self.rows += len(sample)
        self.row_distinct += _distinct(sample)
        width = sample.shape[1] // 32 * 32
        if width:
            groups = sample[:, :width].reshape(-1, 32)
            self.groups += len(groups)
            self.distinct += _distinct(groups)

    def add(self, other: "Traces") -> None:
        """Add another range."""
        for name in ("elements", "squares", "zeros", "sampled", "bf16", "f16", "groups", "distinct", "rows", "row_distinct"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.largest = max(self.largest, other.largest)

    def numbers(self) -> NDArray[np.float32]:
        """Return them in the order of `TRACES`, float32 of shape (7,)."""
        sampled, elements = max(self.sampled, 1), max(self.elements, 1)
        values = (
            np.sqrt(self.squares / elements),
            self.zeros / elements,
            self.bf16 / sampled,
            self.f16 / sampled,
            self.distinct / max(self.groups, 1),
            self.row_distinct / max(self.rows, 1),
            self.largest,
        )
        return np.array(np.minimum(values, np.finfo(np.float32).max), np.float32)


def squares(W: Float32) -> float:
    """Return the sum of squares, in double precision where single does not hold it: not finite only if W is not."""
    flat = W.ravel()
    with np.errstate(over="ignore", invalid="ignore"):
        found = float(np.dot(flat, flat))
    if np.finfo(np.float32).tiny * flat.size < found < np.finfo(np.float32).max:
        return found
    wide = flat.astype(np.float64)
    return float(np.dot(wide, wide))


def _distinct(rows: Float32) -> int:
    if not rows.size:
        return 0
    ordered = np.sort(rows, axis=1)
    return int(np.count_nonzero(ordered[:, 1:] != ordered[:, :-1])) + len(rows)
