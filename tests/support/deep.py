"""Views of models held in memory, and what people do to models, for the deep comparison's tests."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from support.memory import MemoryTensor
from tensorguard.engines.base import Engine
from tensorguard.engines.inline import Inline
from tensorguard.lineage.deep.base import Deep, TensorComparison
from tensorguard.lineage.deep.compare import deep_compare
from tensorguard.progress import Silent
from tensorguard.tensors.view import View, canonical_view

Arrays = dict[str, NDArray[Any]]

WIDTH, HIDDEN, HEADS, GROUPS, WORDS, BLOCKS = 64, 96, 4, 2, 600, 2
CONFIG = {"model_type": "llama", "num_attention_heads": HEADS, "num_key_value_heads": GROUPS}


def llama(seed: int, blocks: int = BLOCKS) -> Arrays:
    """A llama of normal numbers, its gains away from 1."""
    rng = np.random.default_rng(seed)
    shapes = {"model.embed_tokens.weight": (WORDS, WIDTH), "lm_head.weight": (WORDS, WIDTH), "model.norm.weight": (WIDTH,)}
    kv = WIDTH * GROUPS // HEADS
    for i in range(blocks):
        block = f"model.layers.{i}"
        shapes |= {
            f"{block}.self_attn.{name}_proj.weight": (rows, WIDTH)
            for name, rows in zip("qkvo", (WIDTH, kv, kv, WIDTH), strict=True)
        }
        shapes |= {f"{block}.mlp.{name}_proj.weight": (HIDDEN, WIDTH) for name in ("gate", "up")}
        shapes |= {f"{block}.mlp.down_proj.weight": (WIDTH, HIDDEN)}
        shapes |= {f"{block}.{name}_layernorm.weight": (WIDTH,) for name in ("input", "post_attention")}
    made = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    return {name: np.exp(0.3 * array) if array.ndim == 1 else array for name, array in made.items()}


def view_of(arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any] = CONFIG) -> View:
    return canonical_view([MemoryTensor(name, array) for name, array in arrays.items()], config, "safetensors")


def compare(first: Arrays, second: Arrays, engine: Engine | None = None, **more: Any) -> Deep:
    views = view_of(first), view_of(second)
    return deep_compare(*views, engine=engine or Inline(), progress=Silent(), configs=(CONFIG, CONFIG), **more)


def one(A: NDArray[Any], B: NDArray[Any], engine: Engine | None = None) -> TensorComparison:
    """Compare two matrices that are all of two models."""
    name = "model.layers.0.mlp.up_proj.weight"
    (found,) = compare({name: A}, {name: B}, engine).tensors
    return found


def blocks_of(arrays: Arrays) -> range:
    return range(sum("gate_proj" in name for name in arrays))


def in_basis(arrays: Arrays, U: NDArray[Any]) -> Arrays:
    """Fold the gains of the norms in, and turn the residual stream by U (rows of embeddings become e U)."""
    out = dict(arrays)
    for i in blocks_of(arrays):
        block = f"model.layers.{i}"
        for norm, readers in (("input", "self_attn q k v"), ("post_attention", "mlp gate up")):
            part, *names = readers.split()
            for name in names:
                key = f"{block}.{part}.{name}_proj.weight"
                out[key] = (arrays[key] * arrays[f"{block}.{norm}_layernorm.weight"]) @ U
            out[f"{block}.{norm}_layernorm.weight"] = np.ones(WIDTH, np.float32)
        for key in (f"{block}.self_attn.o_proj.weight", f"{block}.mlp.down_proj.weight"):
            out[key] = U.T @ arrays[key]
    out["model.embed_tokens.weight"] = arrays["model.embed_tokens.weight"] @ U
    out["lm_head.weight"] = (arrays["lm_head.weight"] * arrays["model.norm.weight"]) @ U
    out["model.norm.weight"] = np.ones(WIDTH, np.float32)
    return {name: array.astype(np.float32) for name, array in out.items()}


def permute_neurons(arrays: Arrays, order: NDArray[np.int64]) -> Arrays:
    """Put neuron order[i] of every block at i."""
    out = dict(arrays)
    for i in blocks_of(arrays):
        for name in ("gate", "up"):
            out[f"model.layers.{i}.mlp.{name}_proj.weight"] = arrays[f"model.layers.{i}.mlp.{name}_proj.weight"][order]
        key = f"model.layers.{i}.mlp.down_proj.weight"
        out[key] = np.ascontiguousarray(arrays[key][:, order])
    return out


def swap_groups(arrays: Arrays) -> Arrays:
    """Exchange the two key-value heads, their query heads with them."""
    out = dict(arrays)
    for i in blocks_of(arrays):
        for name in "qkv":
            key = f"model.layers.{i}.self_attn.{name}_proj.weight"
            out[key] = np.roll(arrays[key], len(arrays[key]) // 2, axis=0)
        key = f"model.layers.{i}.self_attn.o_proj.weight"
        out[key] = np.roll(arrays[key], WIDTH // 2, axis=1)
    return out
