"""Matrices packed as each kind of quantisation publishes them, by the layouts' definitions in plain numpy.

Written apart from the decoders: each packer returns the stored tensors by what follows the module's name, and what they mean.
"""

import json
from collections.abc import Callable

import ml_dtypes
import numpy as np

Packed = tuple[dict[str, np.ndarray], np.ndarray]


def stream(numbers: np.ndarray, bits: int) -> np.ndarray:
    """Rows of numbers to words of 32 bits, lowest bits first."""
    single = (numbers.astype(np.int64)[..., None] >> np.arange(bits) & 1).astype(np.uint8).reshape(len(numbers), -1)
    padded = np.pad(single, ((0, 0), (0, -single.shape[1] % 32)))
    return np.packbits(padded, axis=1, bitorder="little").view("<u4")


def affine(weight: np.ndarray, bits: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers (out, in), scales and zero points (out, groups), asymmetric, scales in float16."""
    out, width = weight.shape
    groups = weight.reshape(out, width // size, size)
    low, high = np.minimum(groups.min(-1), 0), np.maximum(groups.max(-1), 0)
    scales = np.maximum((high - low) / (2**bits - 1), 1e-4).astype(np.float16)
    zeros = np.clip(np.round(-low / scales.astype(np.float32)), 0, 2**bits - 1).astype(np.int64)
    numbers = np.round(groups / scales.astype(np.float32)[..., None]) + zeros[..., None]
    return np.clip(numbers, 0, 2**bits - 1).astype(np.int64).reshape(out, width), scales, zeros


def spread(values: np.ndarray, size: int) -> np.ndarray:
    return np.repeat(values.astype(np.float32), size, axis=1)


def gptq(weight: np.ndarray, bits: int = 4, size: int = 32, second: bool = False, order: np.ndarray | None = None) -> Packed:
    width = weight.shape[1]
    order = np.arange(width) if order is None else order
    groups = np.empty(width, np.int32)
    groups[order] = np.arange(width) // size
    numbers, scales, zeros = affine(weight[:, order], bits, size)
    placed = np.empty_like(numbers)
    placed[:, order] = numbers
    stored_zeros = zeros if second else (zeros - 1) % 2**bits
    tensors = {
        ".qweight": stream(placed, bits).T.view(np.int32),
        ".qzeros": stream(stored_zeros.T, bits).view(np.int32),
        ".scales": scales.T,
        ".g_idx": groups,
    }
    return tensors, (placed - zeros[:, groups]).astype(np.float32) * scales.astype(np.float32)[:, groups]


def awq(weight: np.ndarray, size: int = 32) -> Packed:
    numbers, scales, zeros = affine(weight, 4, size)
    order = [0, 2, 4, 6, 1, 3, 5, 7]

    def words(turned: np.ndarray) -> np.ndarray:
        eights = turned.reshape(len(turned), -1, 8)[:, :, order].reshape(len(turned), -1)
        return stream(eights, 4).view(np.int32)

    tensors = {".qweight": words(numbers.T), ".qzeros": words(zeros.T), ".scales": scales.T}
    return tensors, (numbers - np.repeat(zeros, size, 1)).astype(np.float32) * spread(scales, size)


def int8(weight: np.ndarray) -> Packed:
    largest = np.abs(weight).max(1).astype(np.float32)
    numbers = np.round(weight * 127 / largest[:, None]).astype(np.int8)
    meant = numbers.astype(np.float32) * largest[:, None] * np.float32(7.874015718698502e-3)
    return {".weight": numbers, ".SCB": largest}, meant


def nf4(weight: np.ndarray, nested: bool = True, size: int = 64) -> Packed:
    code = np.array([-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
                     -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
                     0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0], np.float32)  # fmt: skip
    flat = weight.reshape(-1)
    blocks = -(-len(flat) // size)
    padded = np.pad(flat, (0, blocks * size - len(flat))).reshape(blocks, size)
    largest = np.maximum(np.abs(padded).max(1), 1e-6).astype(np.float32)
    state = {"quant_type": "nf4", "blocksize": size, "dtype": "bfloat16", "shape": list(weight.shape)}
    tensors = {}
    if nested:
        table = np.linspace(-1, 1, 256, dtype=np.float32)
        offset = float(np.float32(largest.mean()))
        runs = -(-blocks // 256)
        tops = np.array([np.abs(largest[i * 256 : (i + 1) * 256] - offset).max() + 1e-7 for i in range(runs)], np.float32)
        own = np.repeat(tops, 256)[:blocks]
        chosen = np.abs(table[None] - ((largest - offset) / own)[:, None]).argmin(1).astype(np.uint8)
        largest = table[chosen] * own + np.float32(offset)
        state |= {"nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": offset}
        tensors |= {".weight.absmax": chosen, ".weight.nested_absmax": tops, ".weight.nested_quant_map": table}
    else:
        tensors[".weight.absmax"] = largest
    numbers = np.abs(padded[..., None] / largest[:, None, None] - code).argmin(-1)
    meant = (code[numbers] * largest[:, None]).reshape(-1)[: len(flat)].reshape(weight.shape)
    halves = np.pad(numbers.reshape(-1)[: len(flat)], (0, len(flat) % 2)).reshape(-1, 2)
    tensors[".weight"] = (halves[:, :1] * 16 + halves[:, 1:]).astype(np.uint8)
    tensors[".weight.quant_map"] = code
    tensors[".weight.quant_state.bitsandbytes__nf4"] = np.frombuffer(json.dumps(state).encode(), np.uint8)
    return tensors, meant


def fp8(weight: np.ndarray, side: int = 128) -> Packed:
    out, width = weight.shape
    down, across = -(-out // side), -(-width // side)
    scales = np.empty((down, across), np.float32)
    stored, meant = np.empty(weight.shape, ml_dtypes.float8_e4m3fn), np.empty(weight.shape, np.float32)
    for i in range(down):
        for j in range(across):
            at = np.s_[i * side : (i + 1) * side, j * side : (j + 1) * side]
            scales[i, j] = max(np.abs(weight[at]).max() / 448, 1e-9)
            stored[at] = (weight[at] / scales[i, j]).astype(ml_dtypes.float8_e4m3fn)
            meant[at] = stored[at].astype(np.float32) * scales[i, j]
    return {".weight": stored, ".weight_scale_inv": scales}, meant


def compressed(weight: np.ndarray, bits: int = 4, size: int = 32) -> Packed:
    numbers, scales, zeros = affine(weight, bits, size)
    tensors = {
        ".weight_packed": stream(numbers, bits).view(np.int32),
        ".weight_scale": scales,
        ".weight_zero_point": stream(zeros.T, bits).view(np.int32).T,
        ".weight_shape": np.array(weight.shape, np.int64),
    }
    return tensors, (numbers - np.repeat(zeros, size, 1)).astype(np.float32) * spread(scales, size)


E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)


def nearest_e2m1(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices and values."""
    index = np.abs(np.abs(values)[..., None] - E2M1).argmin(-1)
    negative = values < 0
    return index + 8 * negative, np.where(negative, -E2M1[index], E2M1[index])


def nvfp4(weight: np.ndarray) -> Packed:
    out, width = weight.shape
    groups = weight.reshape(out, width // 16, 16)
    own = np.float32(448 * 6 / max(np.abs(weight).max(), 1e-6))
    scales = (np.abs(groups).max(-1) / 6 * own).astype(ml_dtypes.float8_e4m3fn)
    each = scales.astype(np.float32)[..., None] / own
    index, values = nearest_e2m1(groups / np.maximum(each, 1e-20))
    index = index.reshape(out, width)
    packed = (index[:, ::2] + 16 * index[:, 1::2]).astype(np.uint8)
    tensors = {".weight_packed": packed, ".weight_scale": scales, ".weight_global_scale": np.array([own])}
    return tensors, (values * each).reshape(out, width).astype(np.float32)


def mxfp4_experts(weights: np.ndarray) -> Packed:
    """(experts, out, in) to blocks and scales; what they mean is (experts, in, out)."""
    experts, out, width = weights.shape
    groups = weights.reshape(experts, out, width // 32, 32)
    exponents = np.floor(np.log2(np.maximum(np.abs(groups).max(-1), 1e-9))).astype(int) - 2
    each = np.exp2(exponents)[..., None].astype(np.float32)
    index, values = nearest_e2m1(groups / each)
    packed = (index[..., ::2] + 16 * index[..., 1::2]).astype(np.uint8)
    tensors = {"_blocks": packed, "_scales": (exponents + 127).astype(np.uint8)}
    return tensors, (values * each).reshape(weights.shape).astype(np.float32).swapaxes(1, 2)


def hqq(weight: np.ndarray, bits: int = 4, size: int = 64) -> Packed:
    """Groups along the rows (axis 1)."""
    flat = weight.reshape(-1, size)
    numbers, scales, zeros = affine(flat, bits, size)
    slots = 8 // bits
    step = len(flat) // slots
    packed = sum(numbers[i * step : (i + 1) * step] << (bits * (slots - 1 - i)) for i in range(slots))
    tensors = {
        ".W_q": packed.astype(np.uint8),
        ".scale": scales,
        ".zero": zeros.astype(np.float16),
        ".shape": np.array(weight.shape, np.int64),
        ".nbits": np.array(bits, np.int32),
    }
    return tensors, ((numbers - zeros).astype(np.float32) * scales.astype(np.float32)).reshape(weight.shape)


def mlx(weight: np.ndarray, bits: int = 4, size: int = 64) -> Packed:
    numbers, scales, zeros = affine(weight, bits, size)
    biases = (-zeros * scales.astype(np.float32)).astype(np.float16)
    meant = numbers.astype(np.float32) * spread(scales, size) + spread(biases, size)
    return {".weight": stream(numbers, bits), ".scales": scales, ".biases": biases}, meant


CONFIGS: dict[str, dict[str, object]] = {
    "gptq": {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 32}},
    "awq": {"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 32}},
    "int8": {"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}},
    "nf4": {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}},
    "fp8": {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}},
    "compressed": {"quantization_config": {"quant_method": "compressed-tensors"}},
    "nvfp4": {"quantization_config": {"quant_method": "compressed-tensors"}},
    "hqq": {"quantization_config": {"quant_method": "hqq"}},
    "mlx": {"quantization": {"bits": 4, "group_size": 64}},
}

PACKERS: dict[str, Callable[[np.ndarray], Packed]] = {
    "gptq": gptq, "awq": awq, "int8": int8, "nf4": nf4, "fp8": fp8, "compressed": compressed, "nvfp4": nvfp4, "hqq": hqq, "mlx": mlx,
}  # fmt: skip
"""Kinds that pack a matrix of any name; each with the settings most files have."""
