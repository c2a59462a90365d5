"""Arrays as the tensors of a file in memory, with any dtype that ml_dtypes has."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tensorguard.formats.base import TensorInfo
from tensorguard.tensors.storage import StoredTensor

DTYPES = {
    "float32": "F32", "float16": "F16", "bfloat16": "BF16", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "int64": "I64",
    "int32": "I32", "uint32": "U32", "int16": "I16", "uint8": "U8", "int8": "I8",
}  # fmt: skip


class Memory:
    """A source of bytes; counts what is read of it."""

    name, modified = "model.safetensors", 0

    def __init__(self, raw: bytes) -> None:
        self.raw, self.read = raw, 0

    @property
    def size(self) -> int:
        return len(self.raw)

    def read_at(self, offset: int, length: int) -> np.ndarray:
        assert offset >= 0
        assert length >= 0
        assert offset + length <= len(self.raw), "read beyond the end"
        self.read += length
        return np.frombuffer(self.raw, np.uint8, length, offset).copy()


def stored(arrays: Mapping[str, np.ndarray]) -> list[StoredTensor]:
    """Return the tensors, one source each."""
    return [
        StoredTensor(TensorInfo(name, DTYPES[str(a.dtype)], a.shape, Memory(np.ascontiguousarray(a).tobytes()), 0, a.nbytes))
        for name, a in arrays.items()
    ]


def write_model(folder: Path, arrays: Mapping[str, np.ndarray], config: Mapping[str, object]) -> Path:
    """Write a folder with model.safetensors and config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    header, blobs, at = {}, [], 0
    for name, array in arrays.items():
        blobs.append(np.ascontiguousarray(array).tobytes())
        header[name] = {
            "dtype": DTYPES[str(array.dtype)],
            "shape": list(array.shape),
            "data_offsets": [at, at + len(blobs[-1])],
        }
        at += len(blobs[-1])
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    (folder / "config.json").write_text(json.dumps(config))
    return folder
