"""Safetensors and GGUF files made byte by byte, so that tests can make every one of them wrong."""

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from tensorguard.sources.local import LocalFile

U8, U32, F32, BOOL, STRING, ARRAY, U64 = 0, 4, 6, 7, 8, 9, 10
"""GGUF value types."""


def entry(dtype: str, shape: Sequence[Any], begin: int, end: int) -> dict[str, Any]:
    """One tensor as a safetensors header describes it."""
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def safetensors_bytes(header: Mapping[str, Any] | bytes, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file around any header; `length` overrides the length field."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def save_model(path: Path, names: Sequence[str] = ("a", "b"), **metadata: str) -> Path:
    """A small valid model by the reference writer: one 2 x 3 float32 tensor per name, filled with its position."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.full((2, 3), i, np.float32) for i, name in enumerate(names)}, path, metadata or None)
    return path


def save_adapter(folder: Path, config: str = '{"peft_type": "LORA", "r": 8}') -> Path:
    """A PEFT adapter folder."""
    save_model(folder / "adapter_model.safetensors", ("x.lora_A.weight", "x.lora_B.weight"))
    (folder / "adapter_config.json").write_text(config)
    return folder


def save_sharded(folder: Path, count: int = 3, pattern: str = "model-{:05d}-of-{:05d}.safetensors") -> list[Path]:
    """A model in shards, with two tensors each: `t0.a`, `t0.b`, `t1.a`, ..."""
    return [save_model(folder / pattern.format(i + 1, count), (f"t{i}.a", f"t{i}.b")) for i in range(count)]


def save_index(folder: Path, weight_map: Mapping[str, Any], name: str = "model.safetensors.index.json") -> Path:
    """An index file."""
    path = folder / name
    path.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    return path


def weight_map_of(shards: Sequence[Path]) -> dict[str, str]:
    """The true index of `save_sharded`'s files."""
    return {f"t{i}.{part}": shard.name for i, shard in enumerate(shards) for part in "ab"}


def text(value: str | bytes) -> bytes:
    """A GGUF string."""
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def pair(key: str | bytes, kind: int, value: bytes) -> bytes:
    """A GGUF key-value pair."""
    return text(key) + struct.pack("<I", kind) + value


def array(kind: int, count: int, values: bytes = b"") -> bytes:
    """A GGUF array's value."""
    return struct.pack("<IQ", kind, count) + values


def gguf_tensor(name: str | bytes = "t", dims: Sequence[int] = (8, 4), kind: int = 0, offset: int = 0) -> bytes:
    """A GGUF tensor description; the fastest dimension first."""
    return text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)


def gguf_bytes(
    pairs: Sequence[bytes] = (),
    tensors: Sequence[bytes] = (),
    data: int = 0,
    *,
    version: int = 3,
    counts: tuple[int, int] | None = None,
    alignment: int = 32,
    order: str = "<",
) -> bytes:
    """A GGUF file with `data` zero bytes; `counts` overrides the declared numbers of tensors and pairs."""
    head = b"GGUF" + struct.pack(order + "IQQ", version, *(counts or (len(tensors), len(pairs)))) + b"".join((*pairs, *tensors))
    return head + bytes(-len(head) % alignment) + bytes(data)


def write(path: Path, raw: bytes) -> LocalFile:
    """Put bytes into a file and return it as a source."""
    path.write_bytes(raw)
    return LocalFile(path)
