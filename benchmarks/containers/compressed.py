"""Matrices packed and read back by compressed-tensors (vLLM's formats)."""

from collections.abc import Mapping
from typing import Any

import torch

from benchmarks.containers.base import Tensors, UnfitError
from benchmarks.containers.matrices import GROUP, Packed, Packer

SCHEMES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "int4 symmetric": ("pack-quantized", {"num_bits": 4, "symmetric": True, "strategy": "group", "group_size": GROUP}),
    "int4 asymmetric": ("pack-quantized", {"num_bits": 4, "symmetric": False, "strategy": "group", "group_size": GROUP}),
    "int8 in groups": ("pack-quantized", {"num_bits": 8, "symmetric": True, "strategy": "group", "group_size": GROUP}),
    "int8 by row": ("int-quantized", {"num_bits": 8, "symmetric": True, "strategy": "channel"}),
    "fp8 by row": ("float-quantized", {"num_bits": 8, "symmetric": True, "strategy": "channel", "type": "float"}),
    "fp8 by tensor": ("float-quantized", {"num_bits": 8, "symmetric": True, "strategy": "tensor", "type": "float"}),
    "nvfp4": ("nvfp4-pack-quantized", {"num_bits": 4, "symmetric": True, "strategy": "tensor_group", "group_size": 16, "type": "float"}),
    "mxfp4": ("mxfp4-pack-quantized", {"num_bits": 4, "symmetric": True, "strategy": "group", "group_size": 32, "type": "float"}),
}  # fmt: skip
"""What the library calls each format, and the arguments of its scheme."""


def compressed(name: str) -> Packer:
    """Return the packer of one of `SCHEMES`."""
    form, given = SCHEMES[name]

    def pack(weight: torch.Tensor) -> Packed:
        from compressed_tensors.compressors import BaseCompressor
        from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme

        if weight.shape[1] % GROUP:
            raise UnfitError
        args = QuantizationArgs(**{"type": "int", **given})
        scheme = QuantizationScheme(targets=["Linear"], weights=args)
        compressor = BaseCompressor.get_value_from_registry(form)
        stored = compressor.compress({"weight": weight.clone(), **_scales(name, weight, args)}, scheme)
        stored = {f".{part}": value for part, value in stored.items()}
        if name == "nvfp4":
            return stored, _nvfp4(stored, weight.shape, args)
        return stored, compressor.decompress({part[1:]: value.clone() for part, value in stored.items()}, scheme)["weight"]

    return pack


def _scales(name: str, weight: torch.Tensor, args: Any) -> Tensors:
    from compressed_tensors.quantization.utils import calculate_qparams

    if name == "nvfp4":
        own = torch.tensor([448 * 6.0]) / weight.abs().max()
        scale = (own * weight.reshape(len(weight), -1, 16).abs().amax(-1) / 6).to(torch.float8_e4m3fn).float()
        return {"weight_scale": scale, "weight_global_scale": own}
    if name == "mxfp4":
        largest = weight.reshape(len(weight), -1, 32).abs().amax(-1)
        return {"weight_scale": 2.0 ** torch.floor(torch.log2(largest / 6))}
    if args.strategy == "group":
        groups = weight.reshape(len(weight), -1, args.group_size)
        low, high = groups.amin(-1), groups.amax(-1)
    elif args.strategy == "channel":
        low, high = weight.amin(-1, keepdim=True), weight.amax(-1, keepdim=True)
    else:
        low, high = weight.min(), weight.max()
    scale, zero = calculate_qparams(low, high, args)
    return {"weight_scale": scale, "weight_zero_point": zero}


def _nvfp4(stored: Tensors, shape: torch.Size, args: Any) -> torch.Tensor:
    """Decode in float32 by the library's functions: its compressor rounds to bfloat16."""
    from compressed_tensors.compressors.nvfp4.helpers import unpack_fp4_from_uint8
    from compressed_tensors.quantization.lifecycle.forward import dequantize

    numbers = unpack_fp4_from_uint8(stored[".weight_packed"], *shape, dtype=torch.float32)
    own = stored[".weight_global_scale"]
    return dequantize(numbers, stored[".weight_scale"].float(), args=args, global_scale=own, dtype=torch.float32)
