"""bitsandbytes' NF4 and FP4: flat numbers of 4 bits, the upper half of a byte first, and the largest magnitude of each block.

Shape, block size and code are in a JSON text beside them, `quant_state.bitsandbytes__nf4` (`QuantState.as_dict`, bitsandbytes 0.50); with
double quantisation the magnitudes are themselves indices into a map, `nested_quant_map`, of blocks with one magnitude each.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import quote
from tensorguard.formats.json_text import parse_object
from tensorguard.quantisations.base import Found, Packed, Parts, UnfitError, facts, flat
from tensorguard.quantisations.bits import by_group
from tensorguard.tensors.base import Float32
from tensorguard.tensors.decoding import decode
from tensorguard.tensors.storage import StoredTensor

_STATE = ".quant_state.bitsandbytes__"
_MAP = 256
_LARGEST_BLOCK = 1 << 20
CODES = {
    "nf4": np.array(
        [
            -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
            -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
            0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
        ],
        np.float32,
    ),
    "fp4": np.array([0, 0.0625, 8, 12, 4, 6, 2, 3, -0.0, -0.0625, -8, -12, -4, -6, -2, -3], np.float32) / np.float32(12),
}  # fmt: skip
"""What each number of 4 bits stands for. The library's own tables: its kernels use these, whatever `quant_map` in the file says."""

_BYTES = np.arange(256)
PAIRS = {name: np.stack([code[_BYTES >> 4], code[_BYTES & 15]], 1).view(np.float64)[:, 0] for name, code in CODES.items()}
"""The two float32 that each byte stands for, as one word of 64 bits that is never computed with."""


@dataclass(frozen=True)
class Nested:
    """Magnitudes that are quantised themselves: map[q] * largest[block] + offset.

    Attributes:
        map: 256 values.
        largest: One for each block.
        size: Magnitudes in a block.
        offset: Added to all.
    """

    map: StoredTensor
    largest: StoredTensor
    size: int
    offset: float

    def decode(self, numbers: NDArray[np.uint8], start: int) -> Float32:
        """Return magnitudes number `start` and following, float32 of shape (n,)."""
        block = np.arange(start, start + len(numbers)) // self.size
        first, last = int(block[0]), int(block[-1]) + 1
        largest = decode(flat(self.largest, first, last), self.largest.dtype)
        values = decode(flat(self.map, 0, _MAP), self.map.dtype)
        return np.asarray(values[numbers] * largest[block - first] + np.float32(self.offset), np.float32)


@dataclass(frozen=True)
class FourBitTensor(Packed):
    """W = code[q] * largest[block], blocks counted along the flattened matrix.

    Attributes:
        code: `nf4` or `fp4`.
        size: Numbers in a block.
        largest: `absmax`, one for each block.
        nested: How they are quantised; None if they are not.
    """

    code: str
    size: int
    largest: StoredTensor
    nested: Nested | None

    def block(self, rows: slice, columns: slice) -> Float32:
        """Decode; see `Stored.read`. Whole rows are read."""
        width = self.shape[-1]
        start, stop = rows.start * width, rows.stop * width
        if start == stop:
            return np.empty((0, columns.stop - columns.start), np.float32)
        raw = flat(self.main, start // 2, -(-stop // 2))
        values = PAIRS[self.code][raw].view(np.float32)[start % 2 : start % 2 + stop - start]
        first, last = start // self.size, -(-stop // self.size)
        largest = self._magnitudes(first, last)
        by_group(np.multiply, values[None], largest[None], self.size, start)
        return values.reshape(-1, width)[:, columns]

    def _magnitudes(self, first: int, last: int) -> Float32:
        raw = flat(self.largest, first, last)
        return decode(raw, self.largest.dtype) if self.nested is None else self.nested.decode(raw, first)


class BitsAndBytes4Bit:
    """The kind; see `Kind`."""

    title = "bitsandbytes 4-bit"
    ends = ("",)

    def find(self, parts: Parts) -> Found | None:
        """Recognise it: `absmax` and a quantisation state beside it."""
        code = next((code for code in CODES if parts.get(_STATE + code)), "")
        if not code:
            return None
        parts.check(parts.main)
        state = parts.need(_STATE + code, "U8")
        text = parse_object(facts(state).tobytes(), f"the quantisation state of {quote(parts.main.name)}", state.where)
        shape, size = text.get("shape"), text.get("blocksize")
        if not isinstance(shape, list) or not shape or not all(type(n) is int and n > 0 for n in shape) or len(shape) > 8:
            raise UnfitError("its quantisation state gives no shape")
        if type(size) is not int or not 0 < size <= _LARGEST_BLOCK:
            raise UnfitError("its quantisation state gives no block size")
        count = math.prod(shape)
        if -(-count // 2) != parts.main.info.nbytes:
            raise UnfitError(f"its quantisation state gives the shape {quote(shape, 60)} to {parts.main.info.nbytes} bytes")
        blocks = -(-count // size)
        largest = parts.need(".absmax", "U8" if parts.get(".nested_absmax") else "F32", "F32")
        if largest.info.size != blocks:
            parts.misfit(largest)
        nested = _nested(parts, text, blocks) if largest.dtype == "U8" else None
        tensor = FourBitTensor(parts.stem, f"BNB-{code.upper()}", tuple(shape), parts.main, code, size, largest, nested)
        ends = (_STATE + code, ".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map")
        return Found(tensor, parts.names(*ends))


def _nested(parts: Parts, text: dict[str, Any], blocks: int) -> Nested:
    size, offset = text.get("nested_blocksize"), text.get("nested_offset")
    if type(size) is not int or not 0 < size <= _LARGEST_BLOCK or not isinstance(offset, int | float):
        raise UnfitError("its quantisation state does not say how the magnitudes are quantised")
    values, largest = parts.need(".nested_quant_map", "F32"), parts.need(".nested_absmax", "F32")
    if values.info.size != _MAP:
        parts.misfit(values)
    if largest.info.size != -(-blocks // size):
        parts.misfit(largest)
    return Nested(values, largest, size, float(offset))
