"""Make the golden files with the formats' own libraries; README.md says which versions and how to get them.

    python make.py FOLDER-OF-LIBRARIES OUT [KIND ...]

The folder holds the unpacked sources of AutoGPTQ, GPTQModel, AutoAWQ and HQQ, of which only single files are imported: their packages
need a GPU's compiler. Each file has the tensors as a checkpoint stores them, what the library decodes them to (`reference/NAME`,
float32), and the part of config.json that says how they were quantised.
"""

import importlib.util
import json
import sys
import types
from pathlib import Path

import torch
from safetensors.torch import save_file

LIBRARIES, OUT = Path(sys.argv[1]), Path(sys.argv[2])


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, LIBRARIES / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def matrix(out, width, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(out, width, generator=generator) * 0.05).to(dtype)


def write(name, tensors, reference, config):
    everything = {k: v.detach().contiguous().clone() for k, v in tensors.items()}
    everything |= {f"reference/{k}": v.detach().to(torch.float32).contiguous().clone() for k, v in reference.items()}
    save_file(everything, OUT / f"{name}.safetensors", metadata={"config": json.dumps(config)})


def gptq():
    module = load("auto_gptq_whl/auto_gptq/nn_modules/qlinear/qlinear_cuda_old.py", "qlinear_cuda_old")
    tensors, reference = {}, {}
    for bits in (2, 3, 4, 8):
        for order in ("plain", "act_order") if bits > 2 else ("plain",):
            out, width, size = 32, 32, 8
            groups = torch.arange(width) // size
            if order == "act_order":
                groups = groups[torch.randperm(width, generator=torch.Generator().manual_seed(bits))]
            linear = torch.nn.Linear(width, out, bias=False)
            linear.weight.data = matrix(out, width, bits)
            scales = torch.rand(out, width // size) * 0.02 + 0.01
            zeros = torch.randint(1, 2**bits, (out, width // size)).float()
            q = module.QuantLinear(bits, size, width, out, bias=False, weight_dtype=torch.float32)
            lowest, highest = -zeros[:, groups] * scales[:, groups], (2**bits - 1 - zeros[:, groups]) * scales[:, groups]
            linear.weight.data = torch.minimum(torch.maximum(linear.weight.data, lowest), highest)
            q.pack(linear, scales, zeros, groups.to(torch.int32))
            name = f"b{bits}.{order}"
            tensors |= {f"{name}.{part}": getattr(q, part) for part in ("qweight", "qzeros", "scales", "g_idx")}
            reference[f"{name}.weight"] = q(torch.eye(width)).T
    write("gptq", tensors, reference, {"quant_method": "gptq"})


def awq():
    module = load("autoawq-0.2.9/awq/utils/packing_utils.py", "awq_packing")
    out, width, size = 64, 128, 64
    q = torch.randint(0, 16, (width, out), dtype=torch.int32)
    zeros = torch.randint(0, 16, (width // size, out), dtype=torch.int32)
    scales = (torch.rand(width // size, out) * 0.02 + 0.01).half()

    def pack(numbers):  # WQLinear_GEMM.from_linear in awq/modules/linear/gemm.py
        words = torch.zeros(numbers.shape[0], numbers.shape[1] // 8, dtype=torch.int32)
        for column in range(words.shape[1]):
            for i, place in enumerate(module.AWQ_ORDER):
                words[:, column] |= numbers[:, column * 8 + place] << (i * 4)
        return words

    tensors = {"m.qweight": pack(q), "m.qzeros": pack(zeros), "m.scales": scales}
    decoded = module.dequantize_gemm(tensors["m.qweight"], tensors["m.qzeros"], scales.float(), 4, size)
    write("awq", tensors, {"m.weight": decoded.T}, {"quant_method": "awq", "bits": 4, "group_size": size, "version": "gemm"})


def bitsandbytes():
    import bitsandbytes.functional as f

    tensors, reference = {}, {}
    for code in ("nf4", "fp4"):
        for nested in (False, True):
            name = f"{code}.{'nested' if nested else 'plain'}"
            weight = matrix(21, 65, 3) if not nested else matrix(40, 64, 3)
            packed, state = f.quantize_4bit(weight, blocksize=64, compress_statistics=nested, quant_type=code)
            tensors[f"{name}.weight"] = packed
            tensors |= {f"{name}.weight.{part}": value for part, value in state.as_dict(packed=True).items()}
            reference[f"{name}.weight"] = f.dequantize_4bit(packed, state)
    write("bitsandbytes_4bit", tensors, reference, {"quant_method": "bitsandbytes", "load_in_4bit": True})
    numbers, largest, _ = f.int8_vectorwise_quant(matrix(24, 80, 4).half())
    tensors = {"m.weight": numbers, "m.SCB": largest, "m.weight_format": torch.tensor(0, dtype=torch.uint8)}
    reference = {"m.weight": f.int8_vectorwise_dequant(numbers, largest)}
    write("bitsandbytes_int8", tensors, reference, {"quant_method": "bitsandbytes", "load_in_8bit": True})


def compressed():
    from compressed_tensors.compressors import BaseCompressor
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    from compressed_tensors.quantization.utils import calculate_qparams

    tensors, reference = {}, {}

    def add(name, form, weight, scheme, **given):
        compressor = BaseCompressor.get_value_from_registry(form)
        scheme = QuantizationScheme(targets=["Linear"], weights=scheme)
        stored = compressor.compress({"weight": weight, **given}, scheme)
        for part, value in stored.items():
            tensors[f"{name}.{part}"] = value
        reference[f"{name}.weight"] = compressor.decompress(dict(stored), scheme)["weight"]

    for bits in (4, 8, 3):
        for symmetric in (True, False):
            args = QuantizationArgs(num_bits=bits, type="int", symmetric=symmetric, strategy="group", group_size=32)
            weight = matrix(12, 64, bits)
            blocks = weight.reshape(12, 2, 32)
            scale, zero = calculate_qparams(blocks.amin(-1), blocks.amax(-1), args)
            name = f"b{bits}.{'sym' if symmetric else 'asym'}"
            add(name, "pack-quantized", weight, args, weight_scale=scale, weight_zero_point=zero)
    args = QuantizationArgs(num_bits=8, type="int", symmetric=True, strategy="channel")
    weight = matrix(12, 70, 9)
    scale, zero = calculate_qparams(weight.amin(-1, keepdim=True), weight.amax(-1, keepdim=True), args)
    add("naive.int8", "int-quantized", weight, args, weight_scale=scale, weight_zero_point=zero)
    for strategy in ("channel", "tensor"):
        args = QuantizationArgs(num_bits=8, type="float", symmetric=True, strategy=strategy)
        axis = {"dim": -1, "keepdim": True} if strategy == "channel" else {}
        low, high = weight.amin(**axis), weight.amax(**axis)
        scale, zero = calculate_qparams(low, high, args)
        add(f"float.{strategy}", "float-quantized", weight, args, weight_scale=scale, weight_zero_point=zero)
    weight = matrix(8, 64, 5)
    args = QuantizationArgs(num_bits=4, type="float", symmetric=True, strategy="tensor_group", group_size=16)
    own = torch.tensor([448 * 6.0]) / weight.abs().max()
    scale = (own * weight.reshape(8, 4, 16).abs().amax(-1) / 6).to(torch.float8_e4m3fn).float()
    add("nvfp4", "nvfp4-pack-quantized", weight, args, weight_scale=scale, weight_global_scale=own)
    args = QuantizationArgs(num_bits=4, type="float", symmetric=True, strategy="group", group_size=32)
    scale = 2.0 ** torch.floor(torch.log2(weight.reshape(8, 2, 32).abs().amax(-1) / 6))
    add("mxfp4", "mxfp4-pack-quantized", weight, args, weight_scale=scale)
    # The library unpacks NVFP4 to bfloat16 and stays there; in float32, by its own functions, nothing is rounded.
    from compressed_tensors.compressors.nvfp4.helpers import unpack_fp4_from_uint8
    from compressed_tensors.quantization.lifecycle.forward import dequantize

    args = QuantizationArgs(num_bits=4, type="float", symmetric=True, strategy="tensor_group", group_size=16)
    numbers = unpack_fp4_from_uint8(tensors["nvfp4.weight_packed"], 8, 64, dtype=torch.float32)
    scale = tensors["nvfp4.weight_scale"].float()
    reference["nvfp4.weight"] = dequantize(numbers, scale, args=args, global_scale=own, dtype=torch.float32)
    write("compressed_tensors", tensors, reference, {"quant_method": "compressed-tensors"})


def fp8():
    from transformers.integrations.finegrained_fp8 import Fp8Dequantize

    tensors, reference = {}, {}
    for dtype in (torch.float8_e4m3fn, torch.float8_e5m2):
        name = f"m.{str(dtype)[-4:]}"
        weight = matrix(32, 96, 6)
        blocks = weight.reshape(2, 16, 3, 32)
        scale = blocks.abs().amax((1, 3)) / 448
        stored = (blocks / scale[:, None, :, None]).reshape(32, 96).to(dtype)
        tensors |= {f"{name}.weight": stored, f"{name}.weight_scale_inv": scale}
        reference[f"{name}.weight"] = Fp8Dequantize(None)._dequantize_one(stored, scale, torch.float32)
    write("fp8_blocks", tensors, reference, {"quant_method": "fp8", "weight_block_size": [16, 32]})


def mxfp4():
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors

    tensors, reference = {}, {}
    for name, (out, blocks) in {"mlp.experts.gate_up_proj": (12, 2), "mlp.experts.down_proj": (8, 1)}.items():
        packed = torch.randint(0, 256, (4, out, blocks, 16), dtype=torch.uint8)
        scales = torch.randint(110, 130, (4, out, blocks), dtype=torch.uint8)
        tensors |= {f"{name}_blocks": packed, f"{name}_scales": scales}
        reference[name] = convert_moe_packed_tensors(packed, scales, dtype=torch.float32)
    write("mxfp4", tensors, reference, {"quant_method": "mxfp4"})


def hqq():
    sys.modules["termcolor"] = types.SimpleNamespace(colored=lambda text, *_: text)
    for package in ("hqq", "hqq.core"):
        sys.modules[package] = types.ModuleType(package)
        sys.modules[package].__path__ = [str(LIBRARIES / "hqq-0.2.8.post1" / package.replace(".", "/"))]
    from hqq.core.quantize import Quantizer
    from hqq.core.utils import encode_safetensor_type

    tensors, reference = {}, {}
    for bits in (8, 4, 3, 2, 1):
        for axis in (0, 1):
            weight = matrix(20, 32, bits)
            numbers, meta = Quantizer.quantize(
                weight, nbits=bits, group_size=16, axis=axis, optimize=False, device="cpu", compute_dtype=torch.float32
            )
            name = f"b{bits}.axis{axis}"
            tensors[f"{name}.W_q"] = numbers
            for key, value in meta.items():
                if (encoded := encode_safetensor_type(value)) is not None:
                    tensors[f"{name}.{key}"] = encoded
            reference[f"{name}.weight"] = Quantizer.dequantize(numbers, meta)
    write("hqq", tensors, reference, {"quant_method": "hqq"})


def mlx():
    import mlx.core as mx
    import numpy as np

    tensors, reference, sections = {}, {}, {}
    for bits in (2, 3, 4, 5, 6, 8):
        for size in (32, 64, 128):
            name = f"b{bits}.g{size}"
            packed, scales, biases = mx.quantize(mx.array(matrix(2, 128, bits).numpy()), group_size=size, bits=bits)
            for part, value in (("weight", packed), ("scales", scales), ("biases", biases)):
                tensors[f"{name}.{part}"] = torch.from_numpy(np.array(value))
            reference[f"{name}.weight"] = torch.from_numpy(
                np.array(mx.dequantize(packed, scales, biases, group_size=size, bits=bits))
            )
            sections[name] = {"bits": bits, "group_size": size}
    for mode in ("mxfp4", "nvfp4", "mxfp8"):
        packed, scales = mx.quantize(mx.array(matrix(2, 128, 7).numpy()), mode=mode)
        tensors |= {f"{mode}.weight": torch.from_numpy(np.array(packed)), f"{mode}.scales": torch.from_numpy(np.array(scales))}
        reference[f"{mode}.weight"] = torch.from_numpy(np.array(mx.dequantize(packed, scales, mode=mode).astype(mx.float32)))
    write("mlx", tensors, reference, {"quantization": {"bits": 4, "group_size": 64, **sections}})


def torchao():
    from torchao.prototype.safetensors.safetensors_support import flatten_tensor_state_dict
    from torchao.quantization import Float8WeightOnlyConfig, Int8WeightOnlyConfig, IntxWeightOnlyConfig, quantize_

    tensors, reference = {}, {}
    for name, config in {
        "float8": Float8WeightOnlyConfig(),
        "int8": Int8WeightOnlyConfig(version=2),
        "intx": IntxWeightOnlyConfig(weight_dtype=torch.int4),
    }.items():
        model = torch.nn.Sequential(torch.nn.Linear(64, 32, bias=False))
        model[0].weight.data = matrix(32, 64, 8)
        quantize_(model, config)
        flat, _ = flatten_tensor_state_dict({f"{name}.weight": model[0].weight.data})
        tensors |= flat
        reference[f"{name}.weight"] = model[0].weight.dequantize()
    write("torchao", tensors, reference, {"quant_method": "torchao"})


ALL = {f.__name__: f for f in (gptq, awq, bitsandbytes, compressed, fp8, mxfp4, hqq, mlx, torchao)}

if __name__ == "__main__":
    torch.manual_seed(0)
    for chosen in sys.argv[3:] or ALL:
        ALL[chosen]()
