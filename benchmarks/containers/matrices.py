"""Matrices packed by each format's own library: what a file stores of one, by what follows its name, and what the library reads back."""

from collections.abc import Callable
from functools import cache

import torch

from benchmarks.containers.base import Tensors, UnfitError
from benchmarks.containers.libraries import file_of

Packed = tuple[Tensors, torch.Tensor]
Packer = Callable[[torch.Tensor], Packed]

GROUP = 32
"""Values that share a scale; few of the zoo's widths are multiples of more."""


def _require(weight: torch.Tensor, group: int = GROUP) -> None:
    if weight.shape[0] % group or weight.shape[1] % group:
        raise UnfitError(f"no groups of {group} in a matrix of {tuple(weight.shape)}")


@cache
def _inputs(width: int) -> torch.Tensor:
    """What a layer reads, 512 x width, correlated as such inputs are: what makes GPTQ move errors from column to column."""
    generator = torch.Generator().manual_seed(width)
    mixed = torch.randn(width, width, generator=generator) / width**0.5 + torch.eye(width)
    return torch.randn(512, width, generator=generator) @ mixed


def gptq(bits: int, *, order: bool = False) -> Packer:
    """AutoGPTQ: its algorithm on made-up inputs, its layout, its decoder."""

    def pack(weight: torch.Tensor) -> Packed:
        _require(weight)
        out, width = weight.shape
        linear = torch.nn.Linear(width, out, bias=False)
        linear.weight.data = weight.clone()
        work = file_of("auto_gptq.quantization.gptq").GPTQ(linear)
        work.quantizer.configure(bits, perchannel=True, sym=False)
        work.add_batch(_inputs(width), None)
        with torch.no_grad():
            scales, zeros, groups = work.fasterquant(group_size=GROUP, actorder=order, static_groups=order)
        maker = file_of("auto_gptq.nn_modules.qlinear.qlinear_cuda").QuantLinear
        packed = maker(bits, GROUP, width, out, bias=False, weight_dtype=torch.float32)
        packed.pack(linear, scales.half().float(), zeros, groups.to(torch.int32))
        stored = {f".{part}": getattr(packed, part) for part in ("qweight", "qzeros", "g_idx")}
        return stored | {".scales": packed.scales.half()}, packed(torch.eye(width)).detach().T

    return pack


def awq(weight: torch.Tensor) -> Packed:
    """AutoAWQ: its grid (`pseudo_quantize_tensor`), the loop of `WQLinear_GEMM.from_linear`, its `dequantize_gemm`."""
    _require(weight)
    module = file_of("awq.utils.packing_utils")
    groups = weight.reshape(len(weight), -1, GROUP)
    scales = ((groups.amax(-1) - groups.amin(-1)).clamp(min=1e-5) / 15).half()
    zeros = (-torch.round(groups.amin(-1) / scales.float())).clamp(0, 15).int()
    numbers = (torch.round(groups / scales.float()[..., None]) + zeros[..., None]).clamp(0, 15).int().reshape(weight.shape)

    def words(turned: torch.Tensor) -> torch.Tensor:
        packed = torch.zeros(turned.shape[0], turned.shape[1] // 8, dtype=torch.int32)
        for place, column in enumerate(module.AWQ_ORDER):
            packed |= turned[:, column::8] << (place * 4)
        return packed

    stored = {".qweight": words(numbers.T), ".qzeros": words(zeros.T), ".scales": scales.T}
    return stored, module.dequantize_gemm(stored[".qweight"], stored[".qzeros"], scales.T.float(), 4, GROUP).T


def int8(weight: torch.Tensor) -> Packed:
    """Bitsandbytes, LLM.int8()."""
    import bitsandbytes.functional as bnb

    numbers, largest, _ = bnb.int8_vectorwise_quant(weight.half())
    return {".weight": numbers, ".SCB": largest}, bnb.int8_vectorwise_dequant(numbers, largest)


def four_bits(code: str, *, nested: bool) -> Packer:
    """Bitsandbytes, NF4 or FP4; nested: the scales quantised too."""

    def pack(weight: torch.Tensor) -> Packed:
        import bitsandbytes.functional as bnb

        packed, state = bnb.quantize_4bit(weight.clone(), blocksize=64, compress_statistics=nested, quant_type=code)
        stored = {".weight": packed} | {f".weight.{part}": value for part, value in state.as_dict(packed=True).items()}
        return stored, bnb.dequantize_4bit(packed, state)

    return pack


def fp8_blocks(weight: torch.Tensor) -> Packed:
    """DeepSeek's layout, divided by hand; decoded by transformers."""
    from transformers.integrations.finegrained_fp8 import Fp8Dequantize

    _require(weight)
    out, width = weight.shape
    blocks = weight.reshape(out // GROUP, GROUP, width // GROUP, GROUP)
    scale = (blocks.abs().amax((1, 3)) / 448).clamp(min=1e-12)
    stored = (blocks / scale[:, None, :, None]).reshape(out, width).to(torch.float8_e4m3fn)
    decoded = Fp8Dequantize(None)._dequantize_one(stored, scale, torch.float32)
    return {".weight": stored, ".weight_scale_inv": scale}, decoded


def hqq(bits: int, axis: int) -> Packer:
    """HQQ, with its search for better zero points."""

    def pack(weight: torch.Tensor) -> Packed:
        from hqq.core.quantize import Quantizer
        from hqq.core.utils import encode_safetensor_type

        _require(weight, 64)
        numbers, meta = Quantizer.quantize(
            weight, nbits=bits, group_size=64, axis=axis, optimize=True, device="cpu", compute_dtype=torch.float32
        )
        encoded = {f".{key}": encode_safetensor_type(value) for key, value in meta.items()}
        stored = {key: value for key, value in encoded.items() if value is not None}
        return {".W_q": numbers} | stored, Quantizer.dequantize(numbers, meta)

    return pack


def mlx(bits: int = 4, mode: str = "affine") -> Packer:
    """MLX on a CPU."""

    def pack(weight: torch.Tensor) -> Packed:
        import mlx.core as mx
        import numpy as np

        _require(weight)
        how = {"bits": bits, "group_size": GROUP} if mode == "affine" else {"mode": mode}
        parts = mx.quantize(mx.array(weight.numpy()), **how)
        stored = {
            f".{end}": torch.from_numpy(np.array(part))
            for end, part in zip(("weight", "scales", "biases"), parts, strict=False)
        }
        decoded = mx.dequantize(*parts, **how).astype(mx.float32)
        return stored, torch.from_numpy(np.array(decoded))

    return pack


def torchao(name: str) -> Packer:
    """Torchao's whole-byte types, flattened as its safetensors support does."""

    def pack(weight: torch.Tensor) -> Packed:
        from torchao import quantization
        from torchao.prototype.safetensors.safetensors_support import flatten_tensor_state_dict

        config = {
            "float8": quantization.Float8WeightOnlyConfig,
            "int8": lambda: quantization.Int8WeightOnlyConfig(version=2),
            "int4 in bytes": lambda: quantization.IntxWeightOnlyConfig(weight_dtype=torch.int4),
        }[name]()
        linear = torch.nn.Sequential(torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False))
        linear[0].weight.data = weight.clone()
        quantization.quantize_(linear, config)
        flat, _ = flatten_tensor_state_dict({".weight": linear[0].weight.data})
        return dict(flat), linear[0].weight.dequantize()

    return pack
