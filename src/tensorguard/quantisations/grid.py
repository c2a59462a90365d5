"""Scales that belong to a whole tensor, to rows, to groups of a row, or to blocks of a matrix: told from their shape."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.quantisations.bits import power_of_two
from tensorguard.tensors.base import Float32, extent
from tensorguard.tensors.storage import StoredTensor

_COMMON = (128, 64, 32, 16, 256, 512, 1024)
"""Sides of a block that are tried where one does not divide the matrix, after what the configuration says."""


@dataclass(frozen=True)
class Grid:
    """One number for each block of a matrix, or of each matrix of a stack.

    Attributes:
        scale: The numbers; U8 stands for powers of two (E8M0).
        rows: Rows of one matrix.
        height: Rows of a block.
        width: Columns of a block.
        down: Rows of the numbers that belong to one matrix; 0 if all matrices of a stack share them.
        across: Numbers in a row.
    """

    scale: StoredTensor
    rows: int
    height: int
    width: int
    down: int
    across: int

    def read(self, rows: slice, columns: slice) -> Float32:
        """Return the number that belongs to each value of a block, float32 of shape (rows, columns) or (rows, 1).

        Raises:
            InputError: The bytes cannot be read.
        """
        row = np.arange(rows.start, rows.stop)
        line = row // self.rows * self.down + row % self.rows // self.height
        first, last = columns.start // self.width, (columns.stop - 1) // self.width + 1
        low, high = int(line.min(initial=0)), int(line.max(initial=0)) + 1
        numbers = self._numbers(low, high, slice(first, last))[line - low]
        if last - first == 1:
            return numbers
        group: NDArray[np.int64] = np.arange(columns.start, columns.stop) // self.width - first
        return np.take(numbers, group, axis=1)

    def _numbers(self, low: int, high: int, across: slice) -> Float32:
        """Return rows of the numbers, whatever their own shape is."""
        stored = self.scale
        if extent(stored)[1] != self.across:  # one number for each row, without a dimension for columns
            raw = stored.plain_bytes(slice(0, 1), slice(low, high)) if len(stored.shape) == 1 else None
            if raw is None:
                rows = stored.shape[-1]
                raw = stored.plain_bytes(slice(low // rows, (high - 1) // rows + 1), slice(0, rows))
                raw = raw.reshape(-1, 1)
            return _decoded(stored, raw.reshape(high - low, -1))
        return _decoded(stored, stored.plain_bytes(slice(low, high), across))
