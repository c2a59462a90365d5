"""compressed-tensors' pack-quantized weights: whole numbers of 1 to 8 bits in words, lowest bits first, along each row.

`weight_packed`, `weight_scale`, `weight_shape`, for asymmetric ones `weight_zero_point` (packed along the outputs), for act-order
`weight_g_idx` (compressors/pack_quantized of compressed-tensors 0.20). Numbers are signed, stored with 2^(bits - 1) added.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import quote
from tensorguard.quantisations.base import Found, Packed, Parts, UnfitError, facts, flat, settings
from tensorguard.quantisations.bits import bitfields, by_group
from tensorguard.quantisations.grid import Grid, grid
from tensorguard.tensors.base import Float32
from tensorguard.tensors.storage import StoredTensor

_WORD = 32
_USUAL = (4, 8, 2, 3, 5, 6, 7, 1)


@dataclass(frozen=True)
class CompressedTensor(Packed):
    """W = (q - zero) * scale.

    Attributes:
        bits: Of one number.
        scale: Its scales.
        zero: Packed zero points, (matrices, out * bits / 32, groups) flattened to rows; None for the middle of the range.
        groups: Group of each column, int32 of shape (in,); None for runs.
    """

    bits: int
    scale: Grid
    zero: StoredTensor | None
    groups: StoredTensor | None

    def block(self, rows: slice, columns: slice) -> Float32:
        """Decode; see `Stored.read`. Whole rows are read."""
        width = self.shape[-1]
        raw = self.main.plain_bytes(rows, slice(0, self.main.shape[-1]))
        numbers = bitfields(raw, self.bits, width)[:, columns].astype(np.float32, order="C")
        size = self.scale.block[1]
        if self.zero is None:
            numbers -= np.float32(1 << self.bits - 1)
        if self.groups is not None:
            group = self._group(self.groups, columns)
            if self.zero is not None:
                numbers -= self._zeros(self.zero, rows)[:, group]
            numbers *= self.scale.read(rows, slice(0, width))[:, ::size][:, group]
            return numbers
        if self.zero is not None:
            held = slice(columns.start // size, -(-columns.stop // size))
            by_group(np.subtract, numbers, self._zeros(self.zero, rows)[:, held], size, columns.start)
        numbers *= self.scale.read(rows, columns)
        return numbers

    def _group(self, groups: StoredTensor, columns: slice) -> NDArray[np.int64]:
        """Return the group of each column."""
        group = flat(groups, columns.start, columns.stop).view("<i4").astype(np.int64)
        if group.size and not (group.min() >= 0 and group.max() < self.scale.across):
            self.refuse(f"{quote(groups.name)} names a group beyond the {self.scale.across} there are")
        return group

    def _zeros(self, zero: StoredTensor, rows: slice) -> Float32:
        """Return the zero points of some rows, float32 of shape (rows, groups)."""
        height, across = self.shape[-2], zero.shape[-1]
        lines = zero.shape[-2]
        found = np.empty((rows.stop - rows.start, across), np.float32)
        for matrix in range(rows.start // height, -(-rows.stop // height)):
            words = flat(zero, matrix * lines * across, (matrix + 1) * lines * across).view("<u4").reshape(lines, across)
            stream = bitfields(np.ascontiguousarray(words.T).view(np.uint8), self.bits, height).T
            first, last = max(rows.start, matrix * height), min(rows.stop, (matrix + 1) * height)
            found[first - rows.start : last - rows.start] = stream[first - matrix * height : last - matrix * height]
        return found


class CompressedTensors:
    """The kind; see `Kind`."""

    title = "compressed-tensors"
    ends = ("_packed",)

    def find(self, parts: Parts) -> Found | None:
        """Recognise it: 32-bit words with a scale and a shape beside them."""
        packed = parts.main
        if packed.dtype != "I32" or parts.get("_scale") is None:
            return None
        parts.check(packed)
        shape = _shape(parts)
        scale = parts.need("_scale", "F16", "BF16", "F32")
        zero, groups = parts.optional("_zero_point", "I32"), parts.optional("_g_idx", "I32")
        bits = _bits(parts, shape)
        size = next((n for n in settings(parts.config, "group_size") if type(n) is int and n > 0), 0)
        scales = grid(scale, shape, (1, size))
        if scales is None:
            parts.misfit(scale)
        across = scales.across
        if zero is not None and zero.shape != (*shape[:-2], -(-shape[-2] * bits // _WORD), across):
            parts.misfit(zero)
        if groups is not None and groups.shape != shape[-1:]:
            parts.misfit(groups)
        if groups is not None and int(flat(groups, 0, 1).view("<i4")[0]) == -1:
            groups = None  # never filled in
        tensor = CompressedTensor(parts.stem, f"CT-INT{bits}", shape, packed, bits, scales, zero, groups)
        return Found(tensor, parts.names("_scale", "_shape", "_zero_point", "_g_idx"))


def _shape(parts: Parts) -> tuple[int, ...]:
    shape = tuple(int(n) for n in facts(parts.need("_shape", "I64", "I32")))
    if len(shape) != len(parts.main.shape) or len(shape) < 2 or shape[:-1] != parts.main.shape[:-1] or shape[-1] < 1:
        raise UnfitError(f"its shape is given as {list(shape[:8])}, but it holds {list(parts.main.shape)} words")
    return shape


def _bits(parts: Parts, shape: tuple[int, ...]) -> int:
    """Return the bits that fill the words; of several (narrow matrices) the stated ones."""
    stated = [n for n in settings(parts.config, "num_bits", "bits") if type(n) is int]
    fitting = [bits for bits in (*stated, *_USUAL) if bits in _USUAL and -(-shape[-1] * bits // _WORD) == parts.main.shape[-1]]
    if not fitting:
        parts.misfit(parts.main)
    return fitting[0]
