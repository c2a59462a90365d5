"""One bad model of each kind that docs/errors.md lists, under the words that the page uses."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from support.checkpoints import llama
from support.containers import entry, safetensors_bytes, save_index, save_model

UP, Q = "model.layers.0.mlp.up_proj.weight", "model.layers.0.self_attn.q_proj.weight"
BASE = "models/llama"


def file(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def header(tensors: dict[str, Any] | bytes, data: int = 16, length: int | None = None) -> Callable[[Path], Path]:
    return file("model.safetensors", safetensors_bytes(tensors, bytes(data), length))


def inside(name: str, content: bytes) -> Callable[[Path], Path]:
    """A folder that holds one file."""

    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder

    return write


def weights(**tensors: np.ndarray) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        save_file(tensors, folder / "model.safetensors")
        return folder

    return write


def indexed(target: str, tensor: str = "a") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        save_model(folder / "model-00001-of-00001.safetensors", ("a",))
        save_index(folder, {"a": "model-00001-of-00001.safetensors", tensor: target})
        return folder

    return write


def shard(folder: Path) -> Path:
    save_model(folder / "model-00001-of-00002.safetensors")
    return folder


def two(folder: Path) -> Path:
    save_model(folder / "first.safetensors")
    save_model(folder / "second.safetensors")
    return folder


def adapter(width: int = 32, **config: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        key = f"base_model.model.{Q.removesuffix('.weight')}"
        factors = {
            f"{key}.lora_A.weight": np.ones((4, width), np.float32),
            f"{key}.lora_B.weight": np.ones((width, 4), np.float32),
        }
        save_file(factors, folder / "adapter_model.safetensors")
        said = {"peft_type": "LORA", "r": 4, "base_model_name_or_path": "org/base", **config}
        (folder / "adapter_config.json").write_text(json.dumps(said))
        return folder

    return write


def not_finite(folder: Path) -> Path:
    tensors = llama(blocks=1)
    tensors[Q][0, :2] = np.nan, np.inf
    save_file(tensors, folder / "model.safetensors")
    return folder


MATRIX = {UP: entry("F32", (2, 2), 0, 16)}
PICKLE = pickle.dumps({"weight": [1.0]})

BAD: dict[str, tuple[Callable[[Path], Path], bool]] = {
    "nothing of that name": (lambda folder: folder / "none", False),
    "not a model file": (file("notes.txt", b"hello"), False),
    "not safetensors, whatever its name says": (file("model.safetensors", b"hello, this is no model"), False),
    "header cut off": (file("model.safetensors", safetensors_bytes(MATRIX)[:40]), False),
    "data cut off": (header(MATRIX, data=9), False),
    "absurd header length": (header(MATRIX, length=2**60), False),
    "overlapping tensors": (header(MATRIX | {"b": entry("F32", (2, 2), 8, 24)}, data=24), False),
    "offsets out of range": (header({UP: entry("F32", (2, 2), 1000, 1016)}), False),
    "offsets that do not match the shape": (header({UP: entry("F32", (2, 3), 0, 16)}), False),
    "a tensor twice": (header(b'{"b":%s,"b":%s}' % ((json.dumps(MATRIX[UP]).encode(),) * 2)), False),
    "an unknown dtype": (header({UP: entry("F23", (2, 2), 0, 16)}), False),
    "a missing shard": (shard, False),
    "an index naming a shard that is not there": (indexed("model-00002-of-00002.safetensors", "b"), False),
    "an index naming a tensor that its shard lacks": (indexed("model-00001-of-00001.safetensors", "b"), False),
    "an index that leads out of its folder": (indexed("../../secret.safetensors", "b"), False),
    "NaN or infinities in the weights": (not_finite, False),
    "no matrices, only vectors, scalars and empty tensors": (
        weights(norm=np.ones(8, np.float32), scalar=np.array(1.0, np.float32), empty=np.zeros((0, 4), np.float32)),
        False,
    ),
    "a pickle": (inside("pytorch_model.bin", PICKLE), False),
    "a Git LFS pointer": (inside("model.safetensors", b"version https://git-lfs.github.com/spec/v1\n"), False),
    "an empty folder": (lambda folder: folder, False),
    "two models in one folder": (two, False),
    "ONNX": (inside("model.onnx", b"\x08\x07"), False),
    "GGUF that claims absurd counts": (
        file("model.gguf", b"GGUF" + (3).to_bytes(4, "little") + (2**60).to_bytes(8, "little") + bytes(48)),
        False,
    ),
    "an adapter without its base": (adapter(), False),
    "an adapter for another base": (adapter(width=99), True),
    "an adapter of an unsupported kind": (adapter(peft_type="BOFT"), True),
    "an adapter that changes its base as well": (adapter(init_lora_weights="pissa"), True),
}
"""What the page calls it -> (what makes it in an empty folder, whether it is given with `--base` BASE)."""
