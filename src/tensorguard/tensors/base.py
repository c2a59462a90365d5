"""The protocol of a tensor that can be read block by block."""

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


class Stored(Protocol):
    """A tensor as its file holds it, seen as a matrix: leading dimensions flattened to rows, the last one the columns.

    Implementations are frozen and picklable: they hold references to bytes, never arrays of a model's size.
    """

    @property
    def name(self) -> str:
        """The name in the file; untrusted text."""

    @property
    def dtype(self) -> str:
        """Canonical dtype name; see `TensorInfo.dtype`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Dimensions as stored, slowest first."""

    @property
    def where(self) -> str:
        """The file it lies in, for messages."""

    def read(self, rows: slice, columns: slice) -> Float32:
        """Decode a block.

        Args:
            rows: Range of rows (`start` and `stop` set, step 1) of the flattened matrix.
            columns: Range of columns, likewise. A part of the columns costs one small read per row.

        Returns:
            A fresh C-contiguous float32 array of shape (rows, columns). Values that float32 cannot hold are rounded.

        Raises:
            InputError: The bytes cannot be read or decoded.
        """


def extent(stored: Stored) -> tuple[int, int]:
    """Return a tensor's (rows, columns) as a flattened matrix; a vector is one row, a scalar is 1 x 1."""
    if not stored.shape:
        return 1, 1
    return math.prod(stored.shape[:-1]), stored.shape[-1]
