"""Tensors as they lie in a source: blocks of rows and columns, read and decoded."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import InputError, quote
from tensorguard.formats.base import TensorInfo
from tensorguard.sources.prefetching import Span, prefetch
from tensorguard.tensors import quantised
from tensorguard.tensors.base import Float32, extent
from tensorguard.tensors.decoding import PLAIN, decode


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in a file; see `Stored`."""

    info: TensorInfo

    @property
    def name(self) -> str:
        """The name in the file."""
        return self.info.name

    @property
    def dtype(self) -> str:
        """Canonical dtype name."""
        return self.info.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Dimensions as stored."""
        return self.info.shape

    @property
    def where(self) -> str:
        """The file it lies in."""
        return self.info.source.name

    def span(self, start: int, stop: int) -> Span:
        """Return where rows start..stop lie; all of the tensor if they are not stored row by row."""
        rows, info = extent(self)[0], self.info
        if info.transposed or info.nbytes % rows:
            return Span(info.source, info.offset, info.nbytes)
        stride = info.nbytes // rows
        return Span(info.source, info.offset + start * stride, (stop - start) * stride)

    def read(self, rows: slice, columns: slice) -> Float32:
        """Decode a block; see `Stored.read`."""
        if self.dtype in PLAIN:
            return decode(self.plain_bytes(rows, columns), self.dtype)
        try:
            elements, size = quantised.block(self.dtype)
            stride = extent(self)[1] // elements * size
            raw = self.info.source.read_at(self.info.offset + rows.start * stride, (rows.stop - rows.start) * stride)
            values = quantised.dequantise(raw.reshape(-1, stride), self.dtype)
        except (KeyError, NotImplementedError) as error:
            raise InputError(
                f"tensor {quote(self.name)} has type {quote(self.dtype)}, which cannot be decoded",
                where=self.where,
                hint="convert the model to F16, BF16 or a common quantised type first",
            ) from error
        return np.ascontiguousarray(values[:, columns])

    def plain_bytes(self, rows: slice, columns: slice) -> NDArray[np.uint8]:
        """Return the bytes of a block of a plain dtype (`PLAIN`), uint8 of shape (rows, columns * itemsize).

        Of a transposed tensor a part of the rows costs one small read per column.

        Raises:
            InputError: They cannot be read.
        """
        item = PLAIN[self.dtype].itemsize
        if not self.info.transposed:
            return self._lying(rows, columns, extent(self)[1], item)
        block = self._lying(columns, rows, extent(self)[0], item).reshape(-1, rows.stop - rows.start, item)
        return np.ascontiguousarray(block.swapaxes(0, 1)).reshape(rows.stop - rows.start, -1)

    def _lying(self, rows: slice, columns: slice, width: int, item: int) -> NDArray[np.uint8]:
        """Return the bytes of a block of a matrix as it lies, whose rows have `width` elements of `item` bytes."""
        stride, count = width * item, rows.stop - rows.start
        if columns.stop - columns.start == width:
            raw = self.info.source.read_at(self.info.offset + rows.start * stride, count * stride)
            return raw.reshape(count, stride)
        piece = (columns.stop - columns.start) * item
        block = np.empty((count, piece), np.uint8)
        prefetch([Span(self.info.source, self.info.offset + rows.start * stride, count * stride)])
        offset = self.info.offset + rows.start * stride + columns.start * item
        for row in range(count):
            block[row] = self.info.source.read_at(offset + row * stride, piece)
        return block


def stored_tensors(tensors: tuple[TensorInfo, ...]) -> tuple[StoredTensor, ...]:
    """Return the readable form of a checkpoint's tensors, in the same order."""
    return tuple(StoredTensor(info) for info in tensors)
