"""Whole models whose matrices are packed: every kind, with the part of config.json that says so."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from benchmarks.containers import matrices
from benchmarks.containers.base import Container, Original, Tensors, UnfitError
from benchmarks.containers.compressed import SCHEMES, compressed
from benchmarks.containers.libraries import named


def containers() -> Iterator[Container]:
    """Yield every container made of packed matrices."""
    for bits in (8, 4, 3, 2):
        yield _of(f"GPTQ {bits}", "auto-gptq", matrices.gptq(bits), {"quant_method": "gptq", "bits": bits, "group_size": 32})
    ordered = {"quant_method": "gptq", "bits": 4, "group_size": 32, "desc_act": True}
    yield _of("GPTQ 4, act-order", "auto-gptq", matrices.gptq(4, order=True), ordered)
    yield _of("AWQ 4", "autoawq", matrices.awq, {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm"})
    yield _of("bitsandbytes INT8", "bitsandbytes", matrices.int8, {"quant_method": "bitsandbytes", "load_in_8bit": True})
    for code in ("nf4", "fp4"):
        for nested in (False, True):
            name = f"bitsandbytes {code.upper()}{', nested' if nested else ''}"
            section = {"quant_method": "bitsandbytes", "load_in_4bit": True}
            yield _of(name, "bitsandbytes", matrices.four_bits(code, nested=nested), section)
    yield _of("FP8, blocks", "transformers", matrices.fp8_blocks, {"quant_method": "fp8", "weight_block_size": [32, 32]})
    for scheme in SCHEMES:
        section = {"quant_method": "compressed-tensors", "format": SCHEMES[scheme][0]}
        yield _of(f"compressed-tensors {scheme}", "compressed-tensors", compressed(scheme), section)
    for bits, axis in ((8, 1), (4, 1), (4, 0), (3, 1), (2, 1)):
        yield _of(f"HQQ {bits}, axis {axis}", "hqq", matrices.hqq(bits, axis), {"quant_method": "hqq"})
    for bits in (8, 6, 5, 4, 3, 2):
        yield _of(f"MLX {bits}", "mlx", matrices.mlx(bits), quantization={"bits": bits, "group_size": 32})
    for mode, bits, size in (("mxfp4", 4, 32), ("nvfp4", 4, 16), ("mxfp8", 8, 32)):
        how = {"mode": mode, "bits": bits, "group_size": size}
        yield _of(f"MLX {mode}", "mlx", matrices.mlx(mode=mode), quantization=how)
    for name in ("float8", "int8", "int4 in bytes"):
        yield _of(f"torchao {name}", "torchao", matrices.torchao(name), {"quant_method": "torchao"})


def _of(name: str, library: str, pack: matrices.Packer, section: dict[str, Any] | None = None, **more: Any) -> Container:
    return Container(name, named(library), packing(pack), ({"quantization_config": section} if section else {}) | more)


def packing(pack: matrices.Packer) -> Callable[[Original, Path], Tensors]:
    """Return how to write a model whose matrices in blocks are packed so and whose other tensors are as they were."""

    def write(model: Original, folder: Path) -> Tensors:
        stored: Tensors = {}
        meant: Tensors = {}
        count = 0
        for name, value in model.tensors.items():
            own = value.to(model.short or value.dtype)
            try:
                if name not in model.matrices:
                    raise UnfitError
                turned = model.turned(name)
                parts, decoded = pack(value.T.contiguous() if turned else value)
                stored |= {name.removesuffix(".weight") + end: part.contiguous().clone() for end, part in parts.items()}
                meant[name] = (decoded.T if turned else decoded).float().contiguous()
                count += 1
            except UnfitError:
                stored[name], meant[name] = own, own.float()
        if not count:
            raise UnfitError("no matrix has a width that its groups divide")
        save_file(stored, folder / "model.safetensors")
        return meant

    return write
