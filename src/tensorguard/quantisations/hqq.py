"""HQQ: `W_q`, `scale`, `zero` and facts as small tensors, as its own library and transformers write them (hqq/core/quantize.py, 0.2.8).

The matrix is reshaped to R x M (a group is a row or a column of it); R is packed, number r in the r // step-th bits from above of
line r % step, so that each part of the rows is one run of lines.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.quantisations.base import Found, Packed, Parts, UnfitError, facts, flat
from tensorguard.tensors.base import Float32
from tensorguard.tensors.decoding import decode
from tensorguard.tensors.storage import StoredTensor

_PER_WORD, _WORD_BITS = 10, 3
_FACTS = (
    "nbits", "group_size", "shape", "scale", "zero", "axis", "packing", "unpack_view_dtype", "view_as_float", "quant_scale",
    "quant_zero", "compute_dtype", "offload_meta", "encoded_state_dict", "stores_quant_config", "channel_wise", "optimize", "round_zero",
)  # fmt: skip


@dataclass(frozen=True)
class HqqTensor(Packed):
    """W = (q - zero) * scale, reshaped.

    Attributes:
        bits: Of one number.
        slots: Numbers in a byte or word.
        height: R.
        scale: One number; or R of them, or M.
        zero: Likewise.
    """

    bits: int
    slots: int
    height: int
    scale: StoredTensor
    zero: StoredTensor

    def block(self, rows: slice, columns: slice) -> Float32:
        """Decode; see `Stored.read`. Whole lines of R x M are read."""
        width, across = self.shape[-1], self.main.shape[1]
        start, stop = rows.start * width, rows.stop * width
        first, last = start // across, -(-stop // across)
        values = self._numbers(first, last).astype(np.float32)
        values -= self._of_lines(self.zero, first, last)
        values *= self._of_lines(self.scale, first, last)
        return values.reshape(-1)[start - first * across : stop - first * across].reshape(-1, width)[:, columns]

    def _numbers(self, first: int, last: int) -> NDArray[np.uint8]:
        """Return lines first..last of R x M."""
        step, across = self.main.shape
        found = np.empty((last - first, across), np.uint8)
        for slot in range(first // step, -(-last // step)):
            low, high = max(first, slot * step), min(last, (slot + 1) * step)
            raw = self.main.plain_bytes(slice(low - slot * step, high - slot * step), slice(0, across))
            words = raw.view("<u4") if self.main.dtype == "I32" else raw
            shift = (self.slots - 1 - slot) * self.bits if self.slots > 1 else 0
            found[low - first : high - first] = words >> shift & (1 << self.bits) - 1 if self.slots > 1 else words
        return found

    def _of_lines(self, stored: StoredTensor, first: int, last: int) -> Float32:
        """Return scales or zero points that fit lines first..last."""
        size = stored.info.size
        if size == self.height and stored.shape != (1, size):
            return decode(flat(stored, first, last), stored.dtype)[:, None]
        return decode(flat(stored, 0, size), stored.dtype)


class Hqq:
    """The kind; see `Kind`."""

    title = "HQQ"
    ends = (".W_q",)

    def find(self, parts: Parts) -> Found | None:
        """Recognise it: the name `W_q`, and `scale`, `zero` and `shape` beside it."""
        packed = parts.main
        if packed.dtype not in ("U8", "I32"):
            raise UnfitError("its numbers are stored as floats, or quantised again")
        parts.check(packed)
        scale, zero = (parts.need(end, "F16", "BF16", "F32", "U8") for end in (".scale", ".zero"))
        shape = tuple(int(n) for n in facts(parts.need(".shape", "I64", "I32")))
        if len(shape) != 2 or min(shape) < 1 or len(packed.shape) != 2 or math.prod(shape) % packed.shape[1]:
            parts.misfit(packed)
        step, across = packed.shape
        height = math.prod(shape) // across
        slots = _PER_WORD if packed.dtype == "I32" else height // step
        if slots not in (1, 2, 4, 8, _PER_WORD) or -(-height // slots) != step:
            parts.misfit(packed)
        for part in (scale, zero):
            if part.shape not in ((), (1,), (1, 1), (height, 1), (1, across), (height,)):
                parts.misfit(part)
        bits = _WORD_BITS if packed.dtype == "I32" else 8 // slots
        name = f"{parts.stem}.weight"
        tensor = HqqTensor(name, f"{self.title}-{bits}", shape, packed, bits, slots, height, scale, zero)
        return Found(tensor, parts.names(*(f".{fact}" for fact in _FACTS)))
