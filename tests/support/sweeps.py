"""Sweeps of models held in memory, and small models whose vocabulary is long enough for every anchor token."""

from typing import Any

import numpy as np

from support.checkpoints import Arrays
from support.models import stored
from tensorguard.engines.inline import Inline
from tensorguard.engines.threads import Threads
from tensorguard.fingerprint.sketches import Sketches
from tensorguard.fingerprint.sweep import Sweep, Swept
from tensorguard.probes.rademacher import PUBLIC, Key
from tensorguard.progress import Silent
from tensorguard.signals.products import NumpyProducts
from tensorguard.tensors.folding import folds
from tensorguard.tensors.grouping import HeadDimensions
from tensorguard.tensors.view import View, canonical_view

WIDTH, HIDDEN, HEADS, KEYS, VOCABULARY, BLOCKS, EXPERTS = 64, 96, 4, 2, 1310, 2, 3
HEAD = WIDTH // HEADS
CONFIG: dict[str, Any] = {"model_type": "llama", "num_attention_heads": HEADS, "num_key_value_heads": KEYS}
WORDS = tuple(range(3, 99, 3))
"""Numbers of the 32 anchor words in a vocabulary of our own."""


def view_of(model: Arrays, config: dict[str, Any] | None = None) -> View:
    return canonical_view(stored(model), CONFIG if config is None else config, "safetensors")


def swept(model: Arrays, config: dict[str, Any] | None = None, *, workers: int = 0, key: Key = PUBLIC, **options: Any) -> Swept:
    """Sweep a model; `words`, `products`, `skip_nonfinite` as `Sweep` takes them; in this thread unless `workers` says otherwise."""
    view = view_of(model, config)
    return Sweep(
        view,
        folds(view, "safetensors"),
        HeadDimensions(view, CONFIG if config is None else config, "safetensors"),
        options.get("words", WORDS),
        engine=Threads(workers) if workers else Inline(),
        products=options.get("products", NumpyProducts()),
        progress=Silent(),
        key=key,
        skip_nonfinite=options.get("skip_nonfinite", False),
    ).everything()


def sketches(model: Arrays, config: dict[str, Any] | None = None, **options: Any) -> Sketches:
    return swept(model, config, **options).sketches


def normal(random: np.random.Generator, *shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return random.standard_normal(shape).astype(np.float32)


def llama(seed: int = 0, *, experts: int = 0, tied: bool = False) -> Arrays:
    """A small Llama, or Mixtral where there are experts, with gains far from 1."""
    random = np.random.default_rng(seed)
    made: Arrays = {"model.embed_tokens.weight": normal(random, VOCABULARY, WIDTH)}
    for i in range(BLOCKS):
        block = f"model.layers.{i}"
        for name, rows in (("q", WIDTH), ("k", KEYS * HEAD), ("v", KEYS * HEAD)):
            made[f"{block}.self_attn.{name}_proj.weight"] = normal(random, rows, WIDTH)
        made[f"{block}.self_attn.o_proj.weight"] = normal(random, WIDTH, WIDTH)
        if experts:
            made[f"{block}.block_sparse_moe.gate.weight"] = normal(random, experts, WIDTH)
        for stem in [f"block_sparse_moe.experts.{e}.w" for e in range(experts)] or [""]:
            names = ("1", "3", "2") if stem else ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
            for name, shape in zip(names, ((HIDDEN, WIDTH), (HIDDEN, WIDTH), (WIDTH, HIDDEN)), strict=True):
                made[f"{block}.{stem}{name}.weight"] = normal(random, *shape)
        made[f"{block}.input_layernorm.weight"] = np.exp(normal(random, WIDTH) / 2)
        made[f"{block}.post_attention_layernorm.weight"] = np.exp(normal(random, WIDTH) / 2)
    made["model.norm.weight"] = np.exp(normal(random, WIDTH) / 2)
    return made | ({} if tied else {"lm_head.weight": normal(random, VOCABULARY, WIDTH)})


def gpt2(seed: int = 0) -> Arrays:
    """A small GPT-2: Conv1D matrices in x out, LayerNorms, a tied head."""
    random = np.random.default_rng(seed)
    made: Arrays = {
        "transformer.wte.weight": normal(random, VOCABULARY, WIDTH),
        "transformer.wpe.weight": normal(random, 32, WIDTH),
    }
    for i in range(BLOCKS):
        block = f"transformer.h.{i}"
        shapes = {"attn.c_attn": (WIDTH, 3 * WIDTH), "attn.c_proj": (WIDTH, WIDTH), "mlp.c_fc": (WIDTH, HIDDEN)}
        for name, shape in (shapes | {"mlp.c_proj": (HIDDEN, WIDTH)}).items():
            made |= {f"{block}.{name}.weight": normal(random, *shape), f"{block}.{name}.bias": normal(random, shape[1])}
        for norm in ("ln_1", "ln_2"):
            made |= {f"{block}.{norm}.weight": np.exp(normal(random, WIDTH) / 2), f"{block}.{norm}.bias": normal(random, WIDTH)}
    return made | {"transformer.ln_f.weight": np.exp(normal(random, WIDTH) / 2), "transformer.ln_f.bias": normal(random, WIDTH)}
