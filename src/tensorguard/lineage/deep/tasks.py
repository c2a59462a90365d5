"""One range of rows of two tensors: the sums that their comparison is made of.

Ranges and tiles depend on the shape alone, so the number of workers cannot change a bit of the result.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tensorguard.lineage.deep.pairs import Pair
from tensorguard.lineage.deep.rounding import bf16_exact, f16_exact, power_squares, to_bf16, to_f16
from tensorguard.probes.rademacher import Key, signs
from tensorguard.tensors.base import Float32

SKETCH = 96
"""Columns of the range finder."""

SAMPLED_ROWS, SAMPLED_COLUMNS = 48, 12
"""Most rows and columns kept for a look at their grid."""

_TILE_ELEMENTS = 2**19
_TASK_TILES = 8


@dataclass(frozen=True, slots=True)
class Range:
    """Rows of a pair to compare.

    Attributes:
        pair: The pair.
        start: First row.
        stop: Row after the last.
        key: Whose probes.
    """

    pair: Pair
    start: int
    stop: int
    key: Key


COUNTS = (
    "equal", "zeros_first", "zeros_second", "zeros_both", "bf16_first", "bf16_second", "f16_first", "f16_second",
    "first_is_bf16", "first_is_f16", "second_is_bf16", "second_is_f16", "nonfinite_first", "nonfinite_second",
)  # fmt: skip


@dataclass(slots=True)
class Sums:
    """What ranges of rows add up to.

    Attributes:
        counts: Counts of values, int64 in the order of `COUNTS`. `first_is_bf16`: the first's value is the
            second's, or the second's rounded.
        energy: ||A - B||^2.
        powers: Sum of the squared leading power of two of every value of the first and of the second: what rounding errors go by.
        rows: <a, b>, <a, a> and <b, b> of every row, float64 of shape (3, rows) in blocks.
        columns: The same of every column, float64 of shape (3, columns).
        sketch: (A - B)^T P for signs P, float64 of shape (columns, 96).
        sampled_rows: Sampled rows of both, float32 of shape (2, rows, columns) in blocks.
        sampled_columns: Sampled columns of both, float32 of shape (2, rows, columns) in blocks.
    """

    counts: NDArray[np.int64]
    energy: float
    powers: NDArray[np.float64]
    columns: NDArray[np.float64]
    sketch: NDArray[np.float64]
    rows: list[NDArray[np.float64]] = field(default_factory=list)
    sampled_rows: list[Float32] = field(default_factory=list)
    sampled_columns: list[Float32] = field(default_factory=list)

    def add(self, other: "Sums") -> None:
        """Add the rows that follow."""
        self.counts += other.counts
        self.energy += other.energy
        self.powers += other.powers
        self.columns += other.columns
        self.sketch += other.sketch
        self.rows += other.rows
        self.sampled_rows += other.sampled_rows
        self.sampled_columns += other.sampled_columns

    def count(self, name: str) -> int:
        """Return one of the counts."""
        return int(self.counts[COUNTS.index(name)])


def plan(pair: Pair, key: Key) -> list[Range]:
    """Cut a pair into ranges, in row order."""
    step = _tile_rows(pair) * _TASK_TILES
    return [Range(pair, start, min(start + step, pair.rows), key) for start in range(0, pair.rows, step)]


def tiles(task: Range) -> Iterator[tuple[int, Float32, Float32]]:
    """Yield (first row, rows of A, rows of B) of a range, a tile at a time.

    Raises:
        InputError: The weights cannot be read or decoded.
    """
    step = _tile_rows(task.pair)
    for start in range(task.start, task.stop, step):
        yield start, *task.pair.tile(start, min(start + step, task.stop))


def measure(task: Range) -> Sums:
    """Read a range of both tensors once and sum up."""
    _, width = task.pair.shape
    total = _nothing(width)
    for start, A, B in tiles(task):
        total.add(_measure_tile(task, start, A, B))
    return total


def fold(parts: Iterator[Sums], count: int, width: int) -> Sums:
    """Add up the next `count` ranges of one pair, in row order."""
    total = _nothing(width)
    for _ in range(count):
        total.add(next(parts))
    return total


def row_signs(key: Key, start: int, stop: int) -> Float32:
    """Return rows of the range finder's signs P, float32 of shape (rows, 96); a function of the key and the row alone."""
    words = (key.words(f"deep/range/{half}", stop - start, start) for half in range(2))
    return np.concatenate([signs(w, 0, SKETCH // 2) for w in words], axis=1)


def _nothing(width: int) -> Sums:
    return Sums(np.zeros(len(COUNTS), np.int64), 0.0, np.zeros(2), np.zeros((3, width)), np.zeros((width, SKETCH)))


def _measure_tile(task: Range, start: int, A: Float32, B: Float32) -> Sums:
    with np.errstate(over="ignore", invalid="ignore"):
        D = A - B
        products = (A.astype(np.float64) * B, np.square(A, dtype=np.float64), np.square(B, dtype=np.float64))
        energy = float(np.square(D, dtype=np.float64).sum())
        changed = energy > 0 or not np.isfinite(energy)
        sketch = (D.T @ row_signs(task.key, start, start + len(A))).astype(np.float64) if changed else 0.0
    width = A.shape[1]
    row_step, column_step = -(-task.pair.rows // SAMPLED_ROWS), -(-width // SAMPLED_COLUMNS)
    picked = slice(-start % row_step, None, row_step)
    total = _nothing(width)
    total.counts[:] = _counts(A, B, changed=changed)
    total.energy = energy
    total.powers[:] = power_squares(A), power_squares(B)
    total.columns[:] = [product.sum(0) for product in products]
    total.sketch += sketch
    total.rows.append(np.stack([product.sum(1) for product in products]))
    total.sampled_rows.append(np.stack([A[picked], B[picked]]))
    total.sampled_columns.append(np.stack([A[:, ::column_step], B[:, ::column_step]]))
    return total


def _counts(A: Float32, B: Float32, *, changed: bool) -> list[int]:
    """Count in the order of `COUNTS`. Where a tile is not of 16 bits throughout, it is no cast: what is equal is counted instead."""
    zero_a, zero_b = A == 0, B == 0
    size, count = A.size, np.count_nonzero
    equal = int(count(A == B))
    exact = [bf16_exact(A), bf16_exact(B), f16_exact(A), f16_exact(B)]

    def rounded(to: Callable[[Float32], Float32], values: Float32, original: Float32, exactly: int) -> int:
        return int(count(values == to(original))) if changed and exactly == size else equal

    return [
        equal, int(count(zero_a)), int(count(zero_b)), int(count(zero_a & zero_b)),
        *exact,
        rounded(to_bf16, A, B, exact[0]), rounded(to_f16, A, B, exact[2]),
        rounded(to_bf16, B, A, exact[1]), rounded(to_f16, B, A, exact[3]),
        size - int(count(np.isfinite(A))), size - int(count(np.isfinite(B))),
    ]  # fmt: skip


def _tile_rows(pair: Pair) -> int:
    return max(1, _TILE_ELEMENTS // max(1, pair.shape[1]))
