"""GPTQ: `qweight`, `qzeros`, `scales` and `g_idx`, as AutoGPTQ, GPTQModel and Optimum write them.

The matrix lies as in x out; numbers are packed along `in`, zero points along `out`, lowest bits first (qlinear_cuda_old.py of AutoGPTQ
0.7.1, BaseQuantLinear of GPTQModel 7.7). Zero points are stored less one, or as they are in the second version of the format.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import quote
from tensorguard.quantisations.base import Found, Packed, Parts, piece_bytes, settings
from tensorguard.quantisations.bits import bitfields, by_group
from tensorguard.tensors.base import Float32
from tensorguard.tensors.storage import StoredTensor

_BITS = (2, 3, 4, 8)
_UNIT = 32
"""Numbers that fill whole words whatever their bits."""


@dataclass(frozen=True)
class GptqTensor(Packed):
    """W^T = scales[g] * (q - zeros[g]), g the group of an input.

    Attributes:
        bits: Of one number.
        zeros: Packed zero points, (groups, out * bits / 32).
        scales: (groups, out).
        groups: Group of each input, int of shape (in,); None for runs of equal length.
        size: Inputs in a run.
        offset: What is added to stored zero points: 1, or 0 in the second version.
    """

    bits: int
    zeros: StoredTensor
    scales: StoredTensor
    groups: StoredTensor | None
    size: int
    offset: int

    def block(self, rows: slice, columns: slice) -> Float32:
        """Decode; see `Stored.read`. The file holds the matrix turned: a part of each packed row is wanted."""
        count = self.scales.shape[0]
        group = self._groups(columns, count)
        numbers = self._numbers(rows, columns).astype(np.float32, order="C")
        zeros, scales = self._zeros(rows), self.scales.read(slice(0, count), rows).T
        runs = np.arange(columns.start, columns.stop) // self.size
        if np.array_equal(group, runs) and group.size:
            held = slice(int(runs[0]), int(runs[-1]) + 1)
            by_group(np.subtract, numbers, zeros[:, held], self.size, columns.start)
            by_group(np.multiply, numbers, scales[:, held], self.size, columns.start)
        else:
            numbers -= np.take(zeros, group, axis=1)
            numbers *= np.take(scales, group, axis=1)
        return numbers

    def _numbers(self, rows: slice, columns: slice) -> NDArray[np.uint8]:
        first, last = columns.start // _UNIT, -(-columns.stop // _UNIT)
        words = slice(first * self.bits, min(last * self.bits, self.main.shape[0]))
        turned = piece_bytes(self.main, words, rows).view("<u4").T
        start = columns.start - first * _UNIT
        stream = bitfields(np.ascontiguousarray(turned).view(np.uint8), self.bits, columns.stop - first * _UNIT)
        return stream[:, start:]

    def _zeros(self, rows: slice) -> NDArray[np.float32]:
        """Return the zero points of some outputs, float32 of shape (rows, groups)."""
        first, last = rows.start // _UNIT, -(-rows.stop // _UNIT)
        words = slice(first * self.bits, min(last * self.bits, self.zeros.shape[1]))
        raw = self.zeros.plain_bytes(slice(0, self.zeros.shape[0]), words)
        stored = bitfields(raw, self.bits, rows.stop - first * _UNIT)[:, rows.start - first * _UNIT :]
        return ((stored + np.uint8(self.offset)) & np.uint8((1 << self.bits) - 1)).T.astype(np.float32)

    def _groups(self, columns: slice, count: int) -> NDArray[np.int64]:
        if self.groups is None:
            return np.arange(columns.start, columns.stop) // self.size
        raw = self.groups.plain_bytes(slice(0, 1), columns)
        group = raw.reshape(-1).view("<i4").astype(np.int64)
        if group.size and not (group.min() >= 0 and group.max() < count):
            self.refuse(f"{quote(self.groups.name)} names group {group.max() if group.min() >= 0 else group.min()} of {count}")
        return group


class Gptq:
    """The kind; see `Kind`."""

    title = "GPTQ"
    ends = (".qweight",)

    def find(self, parts: Parts) -> Found | None:
        """Recognise it: `scales` has as many columns as `qweight`."""
        packed, scales = parts.main, parts.get(".scales")
        if packed.dtype != "I32" or len(packed.shape) != 2 or scales is None or scales.shape[-1:] != packed.shape[1:]:
            return None
        parts.check(packed)
        parts.need(".scales", "F16", "BF16", "F32")
        zeros, groups = parts.need(".qzeros", "I32"), parts.optional(".g_idx", "I32")
        words, out = packed.shape
        if len(scales.shape) != 2 or len(zeros.shape) != 2 or zeros.shape[0] != scales.shape[0]:
            parts.misfit(scales)
        bits = next((b for b in _BITS if zeros.shape[1] == -(-out * b // _UNIT)), 0)
        if not bits or words * _UNIT % bits:
            parts.misfit(zeros)
        width = words * _UNIT // bits
        if groups is not None and groups.shape != (width,):
            parts.misfit(groups)
        size = -(-width // scales.shape[0])
        if groups is None and -(-width // size) != scales.shape[0]:
            parts.misfit(scales)
        offset, notices = _offset(zeros, bits, parts)
        name = f"{self.title}-{bits}"
        tensor = GptqTensor(f"{parts.stem}.weight", name, (out, width), packed, bits, zeros, scales, groups, size, offset)
        return Found(tensor, parts.names(".qzeros", ".scales", ".g_idx"), notices)


def _offset(zeros: StoredTensor, bits: int, parts: Parts) -> tuple[int, tuple[str, ...]]:
    """Return what stored zero points lack, by the configuration, or by the values where these leave no doubt.

    A symmetric quantisation has all zero points in the middle, 2^(bits - 1): the first version stores one less.
    """
    stated = 0 if "gptq_v2" in settings(parts.config, "checkpoint_format") else 1
    width = min(zeros.shape[1], bits)
    if zeros.shape[1] < bits:
        return stated, ()
    stored = set(bitfields(zeros.plain_bytes(slice(0, 1), slice(0, width)), bits, _UNIT).ravel().tolist())
    shown = {1 << bits - 1: 0, (1 << bits - 1) - 1: 1}.get(stored.pop()) if len(stored) == 1 else None
    if shown is None or shown == stated:
        return stated, ()
    version = "second" if shown == 0 else "first"
    return shown, (
        f"GPTQ: the configuration does not say so, but zero points are those of the {version} version of the format.",
    )
