"""Whole bytes with scales beside them: FP8 and INT8 of DeepSeek, compressed-tensors, ModelOpt, torchao and others.

W = (q - zero) * scale, the scale one for the tensor, for a row, for a group of a row or for a block, whether a file calls it
`weight_scale` or, as DeepSeek, `weight_scale_inv`. MXFP8 has scales of one byte (E8M0).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from tensorguard.quantisations.base import Found, Packed, Parts, settings
from tensorguard.quantisations.grid import Grid, grid
from tensorguard.tensors.base import Float32
from tensorguard.tensors.decoding import decode

TITLES = {"F8_E4M3": "FP8-E4M3", "F8_E5M2": "FP8-E5M2", "I8": "INT8"}
"""What a dtype is called once its scales are applied."""

_SCALES = ("_scale_inv", "_scale")
_FLOATS = ("F32", "F16", "BF16", "F64")
_ACTIVATIONS = ("input_scale", "output_scale", "activation_scale", "input_zero_point", "output_zero_point", "input_scale_ub")


@cache
def _every_byte(dtype: str) -> Float32:
    """Return what each of the 256 bytes stands for: a table is many times as fast as a conversion."""
    return decode(np.arange(256, dtype=np.uint8), dtype)


@dataclass(frozen=True)
class ScaledTensor(Packed):
    """W = (q - zero) * scale.

    Attributes:
        scale: Its scales.
        zero: Its zero points; None for none.
    """

    scale: Grid
    zero: Grid | None

    def block(self, rows: slice, columns: slice) -> Float32:
        """Decode; see `Stored.read`."""
        numbers = _every_byte(self.main.dtype)[self.main.plain_bytes(rows, columns)]
        if self.zero is not None:
            numbers -= self.zero.read(rows, columns)
        numbers *= self.scale.read(rows, columns)
        return numbers


class Scaled:
    """The kind; see `Kind`."""

    title = "scaled FP8 or INT8"
    ends = ("",)

    def find(self, parts: Parts) -> Found | None:
        """Recognise it: a matrix of bytes, its scale called as it is with `_scale` or `_scale_inv`."""
        stored = parts.main
        end = next((end for end in _SCALES if parts.get(end)), "")
        if stored.dtype not in TITLES or not end or len(stored.shape) < 2:
            return None
        parts.check(stored)
        scale = parts.need(end, *_FLOATS, "U8", "F8_E8M0")
        zero = parts.optional("_zero_point", "I8", *_FLOATS)
        stated = _block_size(parts)
        scales = grid(scale, stored.shape, stated)
        zeros = None if zero is None else grid(zero, stored.shape, stated)
        if scales is None:
            parts.misfit(scale)
        if zero is not None and zeros is None:
            parts.misfit(zero)
        tensor = ScaledTensor(stored.name, TITLES[stored.dtype], stored.shape, stored, scales, zeros)
        return Found(tensor, (*parts.names(end, "_zero_point"), *_beside(parts)))


def _block_size(parts: Parts) -> Sequence[int]:
    for size in settings(parts.config, "weight_block_size"):
        if isinstance(size, list) and len(size) == 2 and all(type(side) is int and side > 0 for side in size):
            return size
    return ()


def _beside(parts: Parts) -> tuple[str, ...]:
    """Return the names of what quantises activations: no part of any weight."""
    module = parts.main.name.rpartition(".")[0]
    return tuple(name for end in _ACTIVATIONS if (name := f"{module}.{end}") in parts.tensors)
