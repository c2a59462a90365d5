"""Adapters and bases written number by number."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from tensorguard.adapters.applying import AdaptedModel, adapted
from tensorguard.formats.adapter import read_adapter
from tensorguard.formats.opening import open_checkpoint
from tensorguard.tensors.base import Float32, Stored, extent

Arrays = Mapping[str, NDArray[Any]]
LAYER = "model.layers.0.self_attn.q_proj"
KEY = f"base_model.model.{LAYER}"


def numbers(*shape: int, seed: int = 0) -> Float32:
    """Normal random numbers."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def write_base(folder: Path, tensors: Arrays | None = None) -> Path:
    """A base of one 6 x 4 layer, or of the tensors given."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(dict(tensors or {f"{LAYER}.weight": numbers(6, 4)}), folder / "model.safetensors")
    return folder


def write_adapter(folder: Path, config: Mapping[str, Any] | None = None, tensors: Arrays | None = None) -> Path:
    """A LoRA of rank 2 on that layer, with a configuration changed and extended, or the tensors given."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {f"{KEY}.lora_A.weight": numbers(2, 4), f"{KEY}.lora_B.weight": numbers(6, 2)} if tensors is None else dict(tensors)
    save_file(made, folder / "adapter_model.safetensors")
    text = json.dumps({"peft_type": "LORA", "r": 2, "lora_alpha": 4, **(config or {})})
    (folder / "adapter_config.json").write_text(text)
    return folder


def apply(
    folder: Path, config: Mapping[str, Any] | None = None, tensors: Arrays | None = None, base: Arrays | None = None
) -> AdaptedModel:
    """Write a base and an adapter, and apply it."""
    checkpoint = open_checkpoint(write_base(folder / "base", base))
    return adapted(checkpoint, read_adapter(write_adapter(folder / "adapter", config, tensors)))


def whole(stored: Stored) -> Float32:
    """All of a tensor, in its own shape."""
    rows, columns = extent(stored)
    return stored.read(slice(0, rows), slice(0, columns)).reshape(stored.shape)
