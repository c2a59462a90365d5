"""torchao's tensors as it flattens them into safetensors (prototype/safetensors/safetensors_support.py, 0.18): `_weight_qdata` and others.

Whole bytes only (Float8Tensor, Int8Tensor, IntxUnpackedToInt8Tensor): W = (q - zero) * scale. Its packed kinds depend on the machine's
kernels and on metadata of the file, and are left as stored.
"""

from tensorguard.quantisations.base import Found, Parts, UnfitError
from tensorguard.quantisations.grid import grid
from tensorguard.quantisations.scaled import TITLES, ScaledTensor

_MARK = "._"


class Torchao:
    """The kind; see `Kind`."""

    title = "torchao"
    ends = ("_qdata",)

    def find(self, parts: Parts) -> Found | None:
        """Recognise it: `MODULE._NAME_qdata` and a scale beside it."""
        stored = parts.main
        module, mark, attribute = parts.stem.rpartition(_MARK)
        scale = parts.get("_scale")
        if not mark or not attribute or scale is None:
            return None
        parts.check(stored)
        title = TITLES.get(stored.dtype)
        if title is None or len(stored.shape) < 2:
            raise UnfitError("its numbers are packed in a way that depends on the machine it was made for")
        if parts.get("_act_pre_scale") is not None:
            raise UnfitError("its activations are scaled first")
        parts.need("_scale", "F32", "F16", "BF16", "U8", "F8_E8M0")
        zero = parts.optional("_zero_point", "I8", "I32", "I64", "F32", "F16", "BF16")
        scales = grid(scale, stored.shape)
        zeros = None if zero is None else grid(zero, stored.shape)
        if scales is None:
            parts.misfit(scale)  # Int4Tensor holds half as many bytes, its scales turned
        if zero is not None and zeros is None:
            parts.misfit(zero)
        tensor = ScaledTensor(f"{module}.{attribute}", title, stored.shape, stored, scales, zeros)
        return Found(tensor, parts.names("_scale", "_zero_point", "_act_quant_scale"))
