"""MLX: words of numbers, lowest bits first along each row, with `scales` and `biases` of groups (mlx.core.quantize, 0.32).

W = scale * q + bias. Shapes give bits * group size, not both: 4 bits in groups of 64 look like 8 in 32. Newer modes have no biases:
`mxfp4` and `mxfp8` with powers of two for 32 numbers, `nvfp4` with FP8 scales for 16.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import ml_dtypes
import numpy as np

from tensorguard.quantisations.base import Found, Packed, Parts
from tensorguard.quantisations.bits import E2M1, bitfields, by_group, power_of_two
from tensorguard.tensors.base import Float32
from tensorguard.tensors.decoding import decode
from tensorguard.tensors.storage import StoredTensor

_WORD = 32
_BITS, _SIZES = (4, 8, 2, 3, 5, 6), (64, 32, 128, 16)
_MODES = {4 * 32: ("MXFP4", 4, 32), 4 * 16: ("NVFP4", 4, 16), 8 * 32: ("MXFP8", 8, 32)}


@dataclass(frozen=True)
class MlxTensor(Packed):
    """W = scale * q + bias, or e2m1[q] * scale.

    Attributes:
        bits: Of one number.
        size: Numbers in a group.
        scales: One for each group.
        biases: Likewise; None in the modes that have none.
    """

    bits: int
    size: int
    scales: StoredTensor
    biases: StoredTensor | None

    def block(self, rows: slice, columns: slice) -> Float32:
        """Decode; see `Stored.read`. Whole rows are read."""
        raw = self.main.plain_bytes(rows, slice(0, self.main.shape[-1]))
        numbers = bitfields(raw, self.bits, self.shape[-1])[:, columns]
        groups = slice(columns.start // self.size, -(-columns.stop // self.size))
        if self.biases is not None:
            values = numbers.astype(np.float32, order="C")
            by_group(np.multiply, values, self.scales.read(rows, groups), self.size, columns.start)
            by_group(np.add, values, self.biases.read(rows, groups), self.size, columns.start)
            return values
        scales = self.scales.plain_bytes(rows, groups)
        values = (
            E2M1[numbers] if self.bits == 4 else np.ascontiguousarray(numbers).view(ml_dtypes.float8_e4m3fn).astype(np.float32)
        )
        own = decode(scales, "F8_E4M3") if self.size == 16 else power_of_two(scales)
        by_group(np.multiply, values, own, self.size, columns.start)
        return values


class Mlx:
    """The kind; see `Kind`."""

    title = "MLX"
    ends = (".weight",)

    def find(self, parts: Parts) -> Found | None:
        """Recognise it: unsigned words with `scales` beside them."""
        packed, scales, biases = parts.main, parts.get(".scales"), parts.get(".biases")
        if packed.dtype != "U32" or scales is None or len(packed.shape) < 2:
            return None
        parts.check(packed)
        parts.need(".scales", *(("U8",) if biases is None else ("F16", "BF16", "F32")))
        if scales.shape[:-1] != packed.shape[:-1] or packed.shape[-1] * _WORD % scales.shape[-1]:
            parts.misfit(scales)
        if biases is not None and (parts.need(".biases", scales.dtype).shape != scales.shape):
            parts.misfit(biases)
        each = packed.shape[-1] * _WORD // scales.shape[-1]
        notices: tuple[str, ...] = ()
        if biases is None:
            if each not in _MODES:
                parts.misfit(scales)
            title, bits, size = _MODES[each]
        else:
            bits, size, stated = _bits_and_size(parts, each)
            title = f"{self.title}-{bits}"
            if not stated:
                notices = (
                    f"MLX: the configuration does not give bits and group size; {bits} bits in groups of {size} are taken.",
                )
        if not bits:
            parts.misfit(scales)
        shape = (*packed.shape[:-1], scales.shape[-1] * size)
        tensor = MlxTensor(packed.name, title, shape, packed, bits, size, scales, biases)
        return Found(tensor, parts.names(".scales", ".biases"), notices)


def _bits_and_size(parts: Parts, product: int) -> tuple[int, int, bool]:
    """Return bits and group size whose product the shapes give, and whether the configuration has them; zeros if there are none."""
    for bits, size in _stated(parts):
        if type(bits) is int and type(size) is int and bits in _BITS and size > 0 and bits * size == product:
            return bits, size, True
    found = ((bits, size) for size in _SIZES for bits in _BITS if bits * size == product)
    return *next(found, (0, 0)), False


def _stated(parts: Parts) -> Iterator[tuple[object, object]]:
    """Yield what the configuration says of this module, then of all."""
    for key in ("quantization", "quantization_config"):
        section = parts.config.get(key)
        if isinstance(section, dict):
            own = section.get(parts.stem)
            yield from ((each.get("bits"), each.get("group_size")) for each in (own, section) if isinstance(each, dict))
