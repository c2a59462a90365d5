"""A model taken apart: every architecture as the same parts, outputs x inputs, and put together again."""

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.zoo.derivations.checkpoint import Checkpoint, Tensor
from benchmarks.zoo.derivations.layouts import LAYOUTS, Layout

Parts = dict[str, Tensor]


@dataclass
class Layer:
    """One layer. `parts` holds attention, norms and router; `mlps` one MLP, or one per expert. A bias is `PART.bias`."""

    parts: Parts
    mlps: list[Parts]


@dataclass
class Anatomy:
    """A model in parts, float64, to be changed in place; `assemble` reads its sizes off the arrays.

    `top` holds `embed`, `positions`, `final_norm`, and `head` unless that is the embedding.
    """

    layout: Layout
    top: Parts
    layers: list[Layer]
    head_dim: int
    config: dict[str, Any]
    files: dict[str, Any]
    dtype: str = "float32"

    @property
    def hidden(self) -> int:
        return int(self.top["embed"].shape[1])

    @property
    def heads(self) -> int:
        return len(self.layers[0].parts["q"]) // self.head_dim

    @property
    def groups(self) -> int:
        return len(self.layers[0].parts["k"]) // self.head_dim

    @property
    def intermediate(self) -> int:
        return len(self.layers[0].mlps[0]["up"])

    @property
    def mlps(self) -> Iterator[Parts]:
        return (mlp for layer in self.layers for mlp in layer.mlps)

    def map_matrices(self, function: Callable[[Tensor], Tensor], *, embeddings: bool = False) -> None:
        """Replace the matrices of all blocks (not norms, biases or routers), and the embedding and head if asked."""
        names = ("q", "k", "v", "o", "gate", "up", "down")
        holders = [parts for layer in self.layers for parts in (layer.parts, *layer.mlps)]
        for parts in holders:
            parts.update({name: function(parts[name]) for name in names if name in parts})
        if embeddings:
            self.top.update({name: function(self.top[name]) for name in ("embed", "head") if name in self.top})


def dissect(checkpoint: Checkpoint) -> Anatomy:
    """Take a model apart.

    Raises:
        KeyError: if its architecture has no layout, or a tensor is missing.
        ValueError: if a tensor has no place in the layout.
    """
    config = deepcopy(checkpoint.config)
    layout = LAYOUTS[config["model_type"]]
    keys = layout.keys
    heads = config[keys["heads"]]
    head_dim = config.get("head_dim") or config[keys["hidden"]] // heads
    groups = config[keys["groups"]] if "groups" in keys else heads
    sizes = {"q": heads * head_dim, "k": groups * head_dim, "v": groups * head_dim}
    rest = dict(checkpoint.tensors)

    def take(table: dict[str, str], prefix: str) -> Parts:
        parts: Parts = {}
        for part, module in table.items():
            for end, suffix in ((".weight", ""), (".bias", ".bias")):
                values = rest.pop(prefix + module + end, None)
                if values is None:
                    continue
                values = values.astype(np.float64)
                if layout.transposed and values.ndim == 2 and table is not layout.top:
                    values = values.T
                names = part.split("+")
                ends = np.cumsum([sizes.get(name, len(values) // len(names)) for name in names])[:-1]
                parts.update({name + suffix: piece for name, piece in zip(names, np.split(values, ends), strict=True)})
        return parts

    layers = []
    for number in range(config[keys["layers"]]):
        prefix = f"{layout.prefix}{number}."
        experts = range(config["num_local_experts"]) if layout.expert else [0]
        mlps = [take(layout.mlp, prefix + layout.expert.format(expert)) for expert in experts]
        layers.append(Layer(take(layout.parts, prefix), mlps))
    model = Anatomy(layout, take(layout.top, ""), layers, head_dim, config, deepcopy(checkpoint.files), checkpoint.dtype)
    if rest:
        raise ValueError(f"no place for {sorted(rest)}")
    return model


def assemble(model: Anatomy) -> Checkpoint:
    """Put the parts together as the architecture's own tensors; sizes in the configuration follow the arrays."""
    layout = model.layout
    tensors: Parts = {}

    def give(parts: Parts, table: dict[str, str], prefix: str) -> None:
        for part, module in table.items():
            for end, suffix in ((".weight", ""), (".bias", ".bias")):
                pieces = [parts[name + suffix] for name in part.split("+") if name + suffix in parts]
                if not pieces:
                    continue
                values = np.concatenate(pieces)
                if layout.transposed and values.ndim == 2 and table is not layout.top:
                    values = values.T
                tensors[prefix + module + end] = np.ascontiguousarray(values, np.float32)

    give(model.top, layout.top, "")
    for number, layer in enumerate(model.layers):
        prefix = f"{layout.prefix}{number}."
        give(layer.parts, layout.parts, prefix)
        for expert, mlp in enumerate(layer.mlps):
            give(mlp, layout.mlp, prefix + layout.expert.format(expert))
    return Checkpoint(tensors, model.config | _sizes(model), model.files, model.dtype)


def _sizes(model: Anatomy) -> dict[str, Any]:
    values = {
        "hidden": model.hidden,
        "heads": model.heads,
        "groups": model.groups,
        "layers": len(model.layers),
        "intermediate": model.intermediate,
    }
    sizes: dict[str, Any] = {key: values[name] for name, key in model.layout.keys.items()}
    sizes |= {"vocab_size": len(model.top["embed"]), "tie_word_embeddings": "head" not in model.top}
    if "head_dim" in model.config or model.heads * model.head_dim != model.hidden:
        sizes["head_dim"] = model.head_dim
    if model.layout.expert:
        sizes["num_local_experts"] = len(model.layers[0].mlps)
    return sizes


def layer_number(name: str) -> int | None:
    """The layer that a tensor's name speaks of, None outside the layers."""
    found = re.search(r"\.(?:layers|h)\.(\d+)\.", name)
    return int(found[1]) if found else None
