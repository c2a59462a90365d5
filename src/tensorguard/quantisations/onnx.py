"""ONNX: 8-bit integers with a scale and a zero point, of the whole matrix, of each row or of each column.

What they mean: (q - zero point) * scale, in float32 (DequantizeLinear, https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html).
The names are those `formats.onnx` gives, which also turns all three the way of the matrix.
"""

from dataclasses import dataclass

from tensorguard.formats.onnx import QUANTISED, SCALE, ZERO
from tensorguard.quantisations.base import Found, Packed, Parts
from tensorguard.tensors.base import Float32
from tensorguard.tensors.storage import StoredTensor

_INTEGERS = ("I8", "U8")


@dataclass(frozen=True)
class _Affine(Packed):
    """A matrix of integers.

    Attributes:
        scale: Of shape (rows or 1, columns or 1).
        zero: Likewise, or None.
    """

    scale: StoredTensor
    zero: StoredTensor | None

    def block(self, rows: slice, columns: slice) -> Float32:
        """See `Packed.block`."""
        values = self.main.read(rows, columns)
        if self.zero is not None:
            values -= _part(self.zero, rows, columns)
        return values * _part(self.scale, rows, columns)


class Onnx:
    """The kind; see `Kind`."""

    title = "ONNX"
    ends = (QUANTISED,)

    def find(self, parts: Parts) -> Found | None:
        """See `Kind.find`."""
        main = parts.main
        if main.dtype not in _INTEGERS or parts.get(SCALE) is None or len(main.shape) != 2:
            return None
        scale, zero = parts.need(SCALE), parts.optional(ZERO, *_INTEGERS)
        for part in (scale, zero):
            if part is not None and not _fits(part, main):
                parts.misfit(part)
        return Found(_Affine(parts.stem, "ONNX-8", main.shape, main, scale, zero), parts.names(SCALE, ZERO))


def _fits(part: StoredTensor, main: StoredTensor) -> bool:
    return len(part.shape) == 2 and all(n in (1, whole) for n, whole in zip(part.shape, main.shape, strict=True))


def _part(stored: StoredTensor, rows: slice, columns: slice) -> Float32:
    """Return what belongs to a block, float32 of shape (rows or 1, columns or 1)."""
    one = slice(0, 1)
    return stored.read(rows if stored.shape[0] > 1 else one, columns if stored.shape[1] > 1 else one)
