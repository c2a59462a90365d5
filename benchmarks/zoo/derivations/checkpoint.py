"""A model's folder in memory: float32 tensors, configuration and the other JSON files beside them."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from benchmarks.zoo import manifest

Tensor = NDArray[np.floating[Any]]
Indices = NDArray[np.integer[Any]]

_WEIGHTS = "model.safetensors"
_CONFIG = "config.json"


@dataclass(frozen=True)
class Checkpoint:
    """The tensors and settings of one model.

    Attributes:
        tensors: Name -> values, float32 whatever they are stored as.
        config: What config.json says.
        files: The other JSON files: the tokenizer above all.
        dtype: What the tensors are rounded to when they are written: a name of torch's.
    """

    tensors: dict[str, Tensor]
    config: dict[str, Any]
    files: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float32"


@dataclass(frozen=True)
class Facts:
    """What a transformation knows about its result and the zoo's ground truth should say.

    Attributes:
        layer_map: [layer, layer of the parent or None]; None where layers stayed in place.
        notes: JSON where there is anything to add.
        token_ids: The new id of each of the parent's tokens; None where ids stayed.
        names: New tensor name -> the parent's; None where names stayed.
    """

    layer_map: list[list[int | None]] | None = None
    notes: str = ""
    token_ids: Indices | None = None
    names: dict[str, str] | None = None


def read(folder: Path) -> Checkpoint:
    tensors = {name: values.float().numpy() for name, values in load_file(folder / _WEIGHTS).items()}
    files = {
        path.name: json.loads(path.read_text("utf-8"))
        for path in sorted(folder.glob("*.json"))
        if path.name not in (_CONFIG, manifest.FILE)
    }
    return Checkpoint(tensors, json.loads((folder / _CONFIG).read_text("utf-8")), files)


def write(checkpoint: Checkpoint, folder: Path) -> None:
    dtype = getattr(torch, checkpoint.dtype)
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(dtype)
        for name, values in checkpoint.tensors.items()
    }
    save_file(tensors, folder / _WEIGHTS, metadata={"format": "pt"})
    for name, content in {_CONFIG: checkpoint.config | {"dtype": checkpoint.dtype}, **checkpoint.files}.items():
        (folder / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
