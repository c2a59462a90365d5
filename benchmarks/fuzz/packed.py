"""Layouts of quantised weights and the canonical view: tensors of any names, dtypes and shapes, made from a short description."""

import json
from collections.abc import Iterator

import numpy as np

from benchmarks.fuzz import mutators, seeds  # noqa: F401 - seeds makes the tests' builders importable
from benchmarks.fuzz.glimpse import glimpse
from benchmarks.fuzz.harness import Harness, Memory

_MOST = 1 << 16
"""Bytes of one tensor."""


def _tensors(data: bytes) -> tuple[list, dict]:  # type: ignore[type-arg]
    """Return tensors of a description {"tensors": {name: [dtype, shape, filling]}, "config": {}}; what no file could hold is left out."""
    from tensorguard.formats.base import TensorInfo
    from tensorguard.formats.safetensors import BITS
    from tensorguard.tensors.storage import StoredTensor

    try:
        document = json.loads(data)
        config, described = document["config"], document["tensors"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return [], {}
    made = []
    for name, entry in described.items() if isinstance(described, dict) and isinstance(config, dict) else ():
        match entry:
            case [str(dtype), list(shape), filling] if dtype in BITS and len(shape) <= 8:
                if all(type(n) is int and 0 <= n < 2**62 for n in shape):
                    count = 1
                    for extent in shape:
                        count *= extent
                    if count * BITS[dtype] % 8 == 0 and count * BITS[dtype] // 8 <= _MOST:
                        raw = _filled(filling, count * BITS[dtype] // 8)
                        made.append(StoredTensor(TensorInfo(name, dtype, tuple(shape), Memory(raw), 0, len(raw))))
    return made, config if isinstance(config, dict) else {}


def _filled(filling: object, size: int) -> bytes:
    """Return bytes: a text's own, else a number's over and over."""
    if isinstance(filling, str):
        raw = filling.encode("latin-1", "replace")[:size]
        return raw + bytes(size - len(raw))
    value = int(filling) % 256 if isinstance(filling, int) else 63
    return bytes([value]) * size


def quantised(data: bytes) -> None:
    """Find packed weights and read corners of what they mean."""
    tensors, config = _tensors(data)
    glimpse(tensors, config)


def view(data: bytes) -> None:
    """Find the place of every tensor, and plan what the fingerprint would read."""
    from tensorguard.tensors.selection import select
    from tensorguard.tensors.view import canonical_view

    tensors, config = _tensors(data)
    found = canonical_view(tensors, config, "safetensors")
    select(found.weights, 3)


def _packings() -> Iterator[bytes]:
    from support import packing

    weight = (np.random.default_rng(0).standard_normal((32, 128)) * 0.1).astype(np.float32)
    for kind, pack in packing.PACKERS.items():
        yield _described({f"m{end}": value for end, value in pack(weight)[0].items()}, packing.CONFIGS[kind])
    experts = packing.mxfp4_experts(weight.reshape(2, 16, 128))[0]
    yield _described({f"m.experts.down_proj{end}": value for end, value in experts.items()}, {})
    onnx = {
        "m.weight_quantized": np.ones((8, 32), np.int8),
        "m.weight_scale": np.ones((8, 1), np.float32),
        "m.weight_zero_point": np.zeros((8, 1), np.int8),
    }
    yield _described(onnx, {})


def _described(arrays: dict[str, np.ndarray], config: object) -> bytes:
    from support.packed_files import DTYPES

    tensors = {
        name: [DTYPES[str(a.dtype)], list(a.shape), a.tobytes()[: 400 if a.dtype == np.uint8 else 64].decode("latin-1")]
        for name, a in arrays.items()
    }
    return json.dumps({"tensors": tensors, "config": config}).encode()


def _views() -> Iterator[bytes]:
    from support.checkpoints import bert, config, gpt2, llama, phi3

    for architecture, make in {"llama": llama, "gpt2": gpt2, "bert": bert, "phi3": phi3}.items():
        yield _described(dict(list(make().items())[:24]), config(architecture))
    names = (
        "model.layers.0.mlp.experts.0.w1.weight",
        "model.layers.0.mlp.experts.gate_up_proj",
        "transformer.h.0.attn.c_attn.weight",
        "model.layers.0.self_attn.kv_b_proj.weight",
        "backbone.layers.0.mixer.in_proj.weight",
        "layers.0.attention.wqkv.weight",
    )
    yield _described(
        {name: np.ones((4, 8, 12) if name.endswith("gate_up_proj") else (24, 8), np.float32) for name in names},
        {"model_type": "qwen2_moe"},
    )


HARNESSES = (
    Harness("quantised", quantised, _packings, mutators.json_text, share=0.3),
    Harness("view", view, _views, mutators.json_text, modules="tensors.view tensors.selection", share=0.08),
)
