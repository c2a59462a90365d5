"""Scales that belong to a whole tensor, to rows, to groups of a row, or to blocks of a matrix: told from their shape."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tensorguard.quantisations.base import flat
from tensorguard.quantisations.bits import power_of_two
from tensorguard.tensors.base import Float32
from tensorguard.tensors.decoding import decode
from tensorguard.tensors.storage import StoredTensor

_COMMON = (128, 64, 32, 16, 256, 512, 1024)
"""Sides of a block that are tried where none is stated."""


@dataclass(frozen=True)
class Grid:
    """One number for each block of a matrix, or of each matrix of a stack.

    Attributes:
        numbers: The tensor that holds them; U8 stands for powers of two (E8M0).
        rows: Rows of one matrix.
        block: Rows and columns of a block.
        lines: Lines of numbers that belong to one matrix; 0 if all matrices of a stack share them.
        across: Numbers in a line.
    """

    numbers: StoredTensor
    rows: int
    block: tuple[int, int]
    lines: int
    across: int

    def read(self, rows: slice, columns: slice) -> Float32:
        """Return the number of each value of a block, float32 of shape (rows, columns), or (rows, 1) if a row has but one.

        Raises:
            InputError: The bytes cannot be read.
        """
        stack, row = np.divmod(np.arange(rows.start, rows.stop), self.rows)
        line = stack * self.lines + row // self.block[0]
        low, high = (int(line.min()), int(line.max()) + 1) if len(line) else (0, 0)
        raw = flat(self.numbers, low * self.across, high * self.across)
        values = power_of_two(raw) if self.numbers.dtype == "U8" else decode(raw, self.numbers.dtype)
        values = values.reshape(-1, self.across)
        if self.across > 1:
            first, last = columns.start // self.block[1], -(-columns.stop // self.block[1])
            offset = columns.start - first * self.block[1]
            spread = np.repeat(values[:, first:last], self.block[1], axis=1)
            values = spread[:, offset : offset + columns.stop - columns.start]
        if len(values) == len(line):
            return values
        lines: Float32 = values[line - low]
        return lines


def grid(numbers: StoredTensor, shape: Sequence[int], stated: Sequence[int] = ()) -> Grid | None:
    """Return how numbers lie over a tensor, or None if their shape does not fit its.

    Args:
        numbers: One number; or one for each row, in a vector; or a matrix (or a stack of them) of one for each block.
        shape: Of the tensor, two dimensions or more.
        stated: Rows and columns of a block as the configuration says; used where the shapes agree.
    """
    lead, (rows, columns) = math.prod(shape[:-2]), shape[-2:]
    if math.prod(numbers.shape) == 1:
        return Grid(numbers, rows, (rows, columns), 0, 1)
    held = numbers.shape
    if len(held) == 1:
        held = (*held, 1)
    if len(held) == len(shape) - 1 and held == tuple(shape[:-1]):
        held = (*held, 1)
    if len(held) not in (2, len(shape)) or math.prod(held[:-2]) not in (1, lead):
        return None
    sides = [_side(n, s, b) for n, s, b in zip(shape[-2:], held[-2:], stated or (0, 0), strict=True)]
    if not all(sides):
        return None
    return Grid(
        numbers, rows, (sides[0], sides[1]), held[-2] if len(held) > 2 and math.prod(held[:-2]) == lead else 0, held[-1]
    )


def _side(length: int, count: int, stated: int) -> int:
    """Return a block's side if `count` of them cover `length`, else 0: as stated, a common one without rest, with rest, any without."""
    if count == 1:
        return length
    even = (length // count,) if length % count == 0 else ()
    usual = (*(side for side in even if side in _COMMON), *_COMMON)
    return next((side for side in (stated, *usual, *even) if side > 0 and -(-length // side) == count), 0)
