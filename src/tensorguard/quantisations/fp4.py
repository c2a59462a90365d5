"""FP4 (E2M1) in bytes, the lower half first: NVFP4 of compressed-tensors and ModelOpt, MXFP4 of compressed-tensors.

NVFP4 has a scale in FP8 for 16 numbers and one for the whole tensor: compressed-tensors divides by it (`weight_global_scale`), ModelOpt
multiplies (`weight_scale_2`). MXFP4 has a power of two (E8M0) for 32. See compressors/nvfp4 and mxfp4 of compressed-tensors 0.20.
"""

from dataclasses import dataclass

import numpy as np

from tensorguard.quantisations.base import Found, Packed, Parts, flat
from tensorguard.quantisations.bits import E2M1, bitfields
from tensorguard.quantisations.grid import Grid, grid
from tensorguard.tensors.base import Float32
from tensorguard.tensors.decoding import decode
from tensorguard.tensors.storage import StoredTensor

_FLOATS = ("F32", "BF16", "F16")


@dataclass(frozen=True)
class Fp4Tensor(Packed):
    """W = e2m1[q] * scale, the scale times or over the tensor's own.

    Attributes:
        scale: Scales of groups.
        whole: The tensor's scale, one number or one for each matrix of a stack; None for none.
        divided: Whether scales are divided by it.
    """

    scale: Grid
    whole: StoredTensor | None
    divided: bool

    def block(self, rows: slice, columns: slice) -> Float32:
        """Decode; see `Stored.read`. Whole rows are read."""
        raw = self.main.plain_bytes(rows, slice(0, self.main.shape[-1]))
        values = E2M1[bitfields(raw, 4, self.shape[-1])[:, columns]]
        scale = self.scale.read(rows, columns)
        if self.whole is not None:
            own = decode(flat(self.whole, 0, self.whole.info.size), self.whole.dtype)
            each = own[np.arange(rows.start, rows.stop) // self.shape[-2] if len(own) > 1 else [0]][:, None]
            with np.errstate(divide="ignore"):
                scale = scale / each if self.divided else scale * each
        return values * scale


class Fp4:
    """The kind; see `Kind`."""

    title = "NVFP4 or MXFP4"
    ends = ("_packed", "")

    def find(self, parts: Parts) -> Found | None:
        """Recognise it: bytes, a scale of one byte for 16 or 32 numbers."""
        packed, scale = parts.main, parts.get("_scale")
        if packed.dtype != "U8" or scale is None or scale.dtype not in ("F8_E4M3", "U8", "F8_E8M0") or len(packed.shape) < 2:
            return None
        if packed.name == parts.stem and parts.get("_scale_2") is None:
            return None
        parts.check(packed)
        parts.check(scale)
        shape = (*packed.shape[:-1], packed.shape[-1] * 2)
        scales = grid(scale, shape)
        divided = parts.get("_global_scale") is not None
        whole = parts.optional("_global_scale" if divided else "_scale_2", *_FLOATS)
        group = 16 if scale.dtype == "F8_E4M3" else 32
        if scales is None or scales.block != (1, group):
            parts.misfit(scale)
        if whole is not None and whole.info.size not in (1, int(np.prod(shape[:-2], dtype=object))):
            parts.misfit(whole)
        title = "NVFP4" if group == 16 else "MXFP4"
        module = parts.stem.rpartition(".")[0]
        beside = tuple(name for name in (f"{module}.input_global_scale", f"{module}.input_scale") if name in parts.tensors)
        names = parts.names("_scale", "_global_scale", "_scale_2", "_shape")
        return Found(Fp4Tensor(parts.stem, title, shape, packed, scales, whole, divided), (*names, *beside))
