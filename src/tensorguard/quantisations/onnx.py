"""ONNX: integers of 2 to 16 bits or floats of 4 and 8 with a scale and a zero point, of the whole matrix, of rows, columns or blocks.

What they mean: (q - zero point) * scale, in float32 (DequantizeLinear, https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html, and
onnxruntime's MatMulNBits and GatherBlockQuantized). MatMulBnb4 has bitsandbytes' codes. The names are those `formats.onnx` gives, which
also turns all parts the way of the matrix.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tensorguard.formats.onnx import QUANTISED, SCALE, ZERO
from tensorguard.formats.onnx_packed import side
from tensorguard.quantisations.base import Found, Packed, Parts, piece_bytes
from tensorguard.quantisations.bits import E2M1, bitfields, by_group
from tensorguard.quantisations.bitsandbytes_4bit import FourBitTensor
from tensorguard.tensors.base import Float32, extent
from tensorguard.tensors.decoding import decode
from tensorguard.tensors.storage import StoredTensor

_FEW = {
    "ONNX:UINT2": (2, 0), "ONNX:UINT4": (4, 0), "ONNX:UINT8": (8, 0), "ONNX:INT4": (4, 8), "ONNX:INT2": (2, 2), "ONNX:FLOAT4": (4, 0),
    "ONNX:CENTRED2": (2, 2), "ONNX:CENTRED4": (4, 8), "ONNX:CENTRED8": (8, 128),
}  # fmt: skip
"""Packed dtypes -> bits of a number, and what is subtracted from it. (Of two's complement after its upper bit is turned.)"""

_TITLES = {
    "I8": "8", "U8": "8", "I16": "16", "U16": "16", "I32": "32", "F8_E4M3": "FP8", "F8_E5M2": "FP8",
    **{dtype: "FP4" if dtype == "ONNX:FLOAT4" else str(bits) for dtype, (bits, _) in _FEW.items()},
}  # fmt: skip
"""Dtypes that are scaled -> what a weight of them is called."""

_WHOLE_LINES = 16
"""Whole lines are read if at least this part (1/16) of each is wanted."""

_CODES = {"ONNX:NF4": "nf4", "ONNX:FP4": "fp4"}
_FLOATS = ("F32", "F16", "BF16", "F64")


@dataclass(frozen=True)
class _Affine(Packed):
    """A matrix of integers.

    Attributes:
        scale: Of shape (rows, columns), or less of both: each belongs to a block.
        zero: Likewise, or None.
    """

    scale: StoredTensor
    zero: StoredTensor | None

    def block(self, rows: slice, columns: slice) -> Float32:
        """See `Packed.block`."""
        values = np.ascontiguousarray(_numbers(self.main, rows, columns))
        if self.zero is not None:
            self._apply(np.subtract, values, self.zero, rows, columns)
        self._apply(np.multiply, values, self.scale, rows, columns)
        return values

    def _apply(self, operation: np.ufunc, values: Float32, part: StoredTensor, rows: slice, columns: slice) -> None:
        """Subtract from or multiply a block by what belongs to it, in place."""
        height, width = (side(whole, count) for whole, count in zip(extent(self.main), extent(part), strict=True))
        lines, across = _over(rows, height), _over(columns, width)
        found = _numbers(part, lines, across)
        if height > 1 and len(found) > 1:
            found = np.repeat(found, height, axis=0)[rows.start - lines.start * height :][: len(values)]
        if found.shape[1] == 1:
            operation(values, found, out=values)
        else:
            by_group(operation, values, found, width, columns.start)


class Onnx:
    """The kind; see `Kind`."""

    title = "ONNX"
    ends = (QUANTISED,)

    def find(self, parts: Parts) -> Found | None:
        """See `Kind.find`."""
        main, scale, zero, names = parts.main, parts.get(SCALE), parts.get(ZERO), parts.names(SCALE, ZERO)
        if scale is None or len(main.shape) not in (1, 2) or 0 in main.shape:
            return None
        if main.dtype in _CODES:
            return Found(_coded(parts), names)
        if main.dtype not in _TITLES:
            return None
        for part, dtypes in ((scale, _FLOATS), (zero, (*_FLOATS, *_TITLES))):
            if part is not None and (part.dtype not in dtypes or not _fits(part, main)):
                parts.misfit(part)
        return Found(_Affine(parts.stem, f"ONNX-{_TITLES[main.dtype]}", main.shape, main, scale, zero), names)


def _coded(parts: Parts) -> FourBitTensor:
    main, code, count = parts.main, _CODES[parts.main.dtype], parts.main.info.size
    largest = parts.need(SCALE, *_FLOATS)
    size = side(count, largest.info.size)
    if not size or main.info.transposed or main.info.nbytes != -(-count // 2):
        parts.misfit(largest)
    raw = StoredTensor(replace(main.info, dtype="U8", shape=(main.info.nbytes,)))
    return FourBitTensor(parts.stem, f"ONNX-{code.upper()}", main.shape, raw, code, size, largest, None)


def _fits(part: StoredTensor, main: StoredTensor) -> bool:
    return len(part.shape) == 2 and all(side(whole, n) for n, whole in zip(part.shape, extent(main), strict=True))


def _over(wanted: slice, size: int) -> slice:
    """Return which blocks of a size cover a range."""
    return slice(wanted.start // size, max(wanted.start // size + 1, -(-wanted.stop // size)))


def _numbers(stored: StoredTensor, rows: slice, columns: slice) -> Float32:
    """Return a block of a part as the numbers that its dtype says, float32 of shape (rows, columns)."""
    if stored.dtype not in _FEW:
        if stored.info.transposed:
            return stored.read(rows, columns)
        return decode(piece_bytes(stored, rows, columns), stored.dtype)
    return _lying(stored, columns, rows).T if stored.info.transposed else _lying(stored, rows, columns)


def _lying(stored: StoredTensor, lines: slice, across: slice) -> Float32:
    """Return a block of packed numbers as they lie."""
    bits, less = _FEW[stored.dtype]
    raw = _fields(stored, bits, lines, across)
    if stored.dtype == "ONNX:FLOAT4":
        return E2M1[raw]
    if stored.dtype.startswith("ONNX:INT"):
        raw ^= np.uint8(less)
    return raw.astype(np.float32) - np.float32(less) if less else raw.astype(np.float32)


def _fields(stored: StoredTensor, bits: int, lines: slice, across: slice) -> NDArray[np.uint8]:
    """Cut lines of bytes into numbers; lines that do not begin with a byte are cut out of all that is read."""
    shape = extent(stored)[::-1] if stored.info.transposed else extent(stored)
    pitch = stored.info.nbytes * 8 // bits // shape[0]
    source, offset, count = stored.info.source, stored.info.offset, lines.stop - lines.start
    if pitch * bits % 8:
        start, stop = lines.start * pitch, lines.stop * pitch
        first, last = start * bits // 8, -(-stop * bits // 8)
        numbers = bitfields(source.read_at(offset + first, last - first)[None], bits, (last - first) * 8 // bits)[0]
        skipped = start - first * 8 // bits
        return np.asarray(numbers[skipped : skipped + stop - start].reshape(count, pitch)[:, across])
    stride, first, last = pitch * bits // 8, across.start * bits // 8, -(-across.stop * bits // 8)
    if (last - first) * _WHOLE_LINES < stride:
        raw = np.stack(
            [source.read_at(offset + line * stride + first, last - first) for line in range(lines.start, lines.stop)]
        )
    else:
        raw = source.read_at(offset + lines.start * stride, count * stride).reshape(count, stride)[:, first:last]
    numbers = bitfields(raw, bits, (last - first) * 8 // bits)
    skipped = first * 8 // bits
    return np.asarray(numbers[:, across.start - skipped : across.stop - skipped])
