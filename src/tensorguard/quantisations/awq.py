"""AWQ in its GEMM layout: `qweight`, `qzeros` and `scales`, as AutoAWQ writes them (awq/utils/packing_utils.py of AutoAWQ 0.2.9).

The matrix lies as in x out; eight numbers of 4 bits along `out` make a word, even ones in its lower half. The GEMV layouts are not decoded.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.quantisations.base import Found, Packed, Parts, UnfitError, piece_bytes
from tensorguard.quantisations.bits import bitfields, by_group
from tensorguard.tensors.base import Float32
from tensorguard.tensors.storage import StoredTensor

_BITS, _PER_WORD = 4, 8


@dataclass(frozen=True)
class AwqTensor(Packed):
    """W^T = scales[g] * (q - zeros[g]), g the group of an input.

    Attributes:
        zeros: Packed zero points, (groups, out / 8).
        scales: (groups, out).
    """

    zeros: StoredTensor
    scales: StoredTensor

    def block(self, rows: slice, columns: slice) -> Float32:
        """Decode; see `Stored.read`. The file holds the matrix turned: a part of each packed row is wanted."""
        size = self.shape[1] // self.scales.shape[0]
        groups = slice(columns.start // size, -(-columns.stop // size))
        numbers = np.ascontiguousarray(_numbers(self.main, columns, rows).T, np.float32)
        by_group(np.subtract, numbers, _numbers(self.zeros, groups, rows).T, size, columns.start)
        by_group(np.multiply, numbers, self.scales.read(groups, rows).T, size, columns.start)
        return numbers


def _numbers(packed: StoredTensor, inputs: slice, outputs: slice) -> NDArray[np.uint8]:
    """Return packed numbers, uint8 of shape (inputs, outputs); in a word lie numbers 0, 2, 4, 6, then 1, 3, 5, 7."""
    first, last = outputs.start // _PER_WORD, -(-outputs.stop // _PER_WORD)
    raw = piece_bytes(packed, inputs, slice(first, last))
    words = last - first
    halves = bitfields(raw, _BITS, words * _PER_WORD).reshape(len(raw), words, 2, _PER_WORD // 2)
    ordered = halves.swapaxes(2, 3).reshape(len(raw), words * _PER_WORD)
    return ordered[:, outputs.start - first * _PER_WORD : outputs.stop - first * _PER_WORD]


class Awq:
    """The kind; see `Kind`."""

    title = "AWQ"
    ends = (".qweight",)

    def find(self, parts: Parts) -> Found | None:
        """Recognise it: `scales` has eight columns for each of `qweight`."""
        packed, scales, zeros = parts.main, parts.get(".scales"), parts.get(".qzeros")
        if scales is None or zeros is None or len(packed.shape) != 2 or len(scales.shape) != 2:
            return None
        if packed.dtype == "I16" or (packed.dtype == "I32" and scales.shape[1] != packed.shape[1] * _PER_WORD):
            if _is_gemv(packed, scales):
                raise UnfitError("it is in a GEMV layout")
            return None
        if packed.dtype != "I32":
            return None
        for part in (packed, parts.need(".scales", "F16", "BF16", "F32"), parts.need(".qzeros", "I32")):
            parts.check(part)
        if scales.shape[0] > packed.shape[0] or packed.shape[0] % scales.shape[0]:
            parts.misfit(scales)
        if zeros.shape != (scales.shape[0], packed.shape[1]):
            parts.misfit(zeros)
        shape = (scales.shape[1], packed.shape[0])
        tensor = AwqTensor(f"{parts.stem}.weight", f"{self.title}-{_BITS}", shape, packed, zeros, scales)
        return Found(tensor, parts.names(".qzeros", ".scales"))


def _is_gemv(packed: StoredTensor, scales: StoredTensor) -> bool:
    """Packed along `in`: as many rows of scales as outputs (GEMV), or 16-bit words of four rows (GEMV fast)."""
    return scales.shape[0] == packed.shape[0] or packed.dtype == "I16"
