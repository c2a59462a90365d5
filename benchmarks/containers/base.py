"""What a container is to this benchmark, and what is put into it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

Tensors = dict[str, torch.Tensor]


class UnfitError(Exception):
    """The model, or a matrix of it, cannot be put into this container."""


@dataclass(frozen=True)
class Original:
    """A model as its makers published it.

    Attributes:
        folder: Where it lies.
        config: Its config.json.
        tensors: All of its tensors, in float32.
        short: The type of 16 bits that all of them are stored in, or None.
    """

    folder: Path
    config: Mapping[str, Any]
    tensors: Tensors = field(repr=False)
    short: torch.dtype | None

    @cached_property
    def matrices(self) -> frozenset[str]:
        """The names of the matrices that quantisers work on: those of linear layers in blocks, routers apart."""
        return frozenset(name for name, value in self.tensors.items() if value.ndim == 2 and _linear(name))

    def turned(self, name: str) -> bool:
        """Say whether a matrix lies inputs x outputs: GPT-2's, of which quantisers make linear layers."""
        return self.config["model_type"] == "gpt2" and name in self.matrices


@dataclass(frozen=True)
class Container:
    """One way of writing a model.

    Attributes:
        name: What it is called.
        maker: The library that writes it and reads it back.
        write: Writes the model into a folder; returns what the library reads back, in float32 and by the original's names, or None
            where these are the original's values bit by bit.
        config: Added to config.json.
    """

    name: str
    maker: str
    write: Callable[[Original, Path], Tensors | None] = field(repr=False)
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)


def original(folder: Path) -> Original:
    """Read a model of one safetensors file."""
    stored = load_file(folder / "model.safetensors")
    kinds = {value.dtype for value in stored.values()}
    short = next(iter(kinds)) if kinds in ({torch.bfloat16}, {torch.float16}) else None
    config = json.loads((folder / "config.json").read_text())
    return Original(folder, config, {name: value.float() for name, value in stored.items()}, short)


def save(folder: Path, tensors: Mapping[str, torch.Tensor], config: Mapping[str, Any]) -> Path:
    """Write a model folder by the safetensors library."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous().clone() for name, value in tensors.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(dict(config), indent=1))
    return folder


def _linear(name: str) -> bool:
    inside = ".layers." in name or ".h." in name
    return inside and name.endswith(".weight") and ".block_sparse_moe.gate." not in name
