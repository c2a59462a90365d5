"""The small models whose fingerprints are golden: every number follows from its name and place by integer arithmetic, for ever.

Nothing here may change a value once a release has goldens of it; a model that is wanted beside these gets a name of its own.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from support.checkpoints import Arrays, numbers
from tensorguard.probes.anchors import ANCHOR_WORDS

WIDTH, HIDDEN, HEADS, KV_HEADS, WORDS = 64, 96, 4, 2, 160
HEAD = WIDTH // HEADS
_TUNED = 1 / 16
"""How large the steps of a fine-tune are; with it every number is still a multiple of 2^-11, exact in float32."""

KEY = b"not a secret, but the key that the golden fingerprints under a secret key were made with\n"

Shapes = dict[str, tuple[int, ...]]


def _made(shapes: Shapes, seed: int) -> Arrays:
    """Matrices of numbers in [-1, 1); gains around 1."""
    return {
        name: (np.float32(1) if "norm" in name.lower() and name.endswith("weight") else np.float32(0))
        + numbers(name, *shape, seed=seed) / (8 if len(shape) == 1 else 1)
        for name, shape in shapes.items()
    }


def _blocks(block: Shapes, stem: str, blocks: int = 1) -> Shapes:
    return {f"{stem}.{layer}.{name}": shape for layer in range(blocks) for name, shape in block.items()}


def _attention() -> Shapes:
    shared = HEAD * KV_HEADS
    shapes: Shapes = {"self_attn.q_proj.weight": (WIDTH, WIDTH), "self_attn.o_proj.weight": (WIDTH, WIDTH)}
    shapes |= {f"self_attn.{name}_proj.weight": (shared, WIDTH) for name in "kv"}
    return shapes | {"input_layernorm.weight": (WIDTH,), "post_attention_layernorm.weight": (WIDTH,)}


def _gated(
    stem: str = "mlp.", names: tuple[str, str, str] = ("gate_proj", "up_proj", "down_proj"), hidden: int = HIDDEN
) -> Shapes:
    gate, up, down = names
    return {
        f"{stem}{gate}.weight": (hidden, WIDTH),
        f"{stem}{up}.weight": (hidden, WIDTH),
        f"{stem}{down}.weight": (WIDTH, hidden),
    }


def _language_model(block: Shapes, seed: int, blocks: int = 1) -> Arrays:
    ends: Shapes = {
        "model.embed_tokens.weight": (WORDS, WIDTH),
        "model.norm.weight": (WIDTH,),
        "lm_head.weight": (WORDS, WIDTH),
    }
    return _made(ends | _blocks(block, "model.layers", blocks), seed)


def llama(seed: int = 0) -> Arrays:
    return _language_model(_attention() | _gated(), seed, blocks=2)


def experts(seed: int = 0) -> Arrays:
    """As Mixtral: four experts and a router."""
    block = _attention() | {"block_sparse_moe.gate.weight": (4, WIDTH)}
    for expert in range(4):
        block |= _gated(f"block_sparse_moe.experts.{expert}.", ("w1", "w3", "w2"), HIDDEN // 2)
    return _language_model(block, seed)


def latent(seed: int = 0) -> Arrays:
    """As DeepSeek: latent attention (MLA)."""
    inner, rope, plain = 16, 8, 16
    attention: Shapes = {
        "q_a_proj": (2 * inner, WIDTH),
        "q_b_proj": (HEADS * (plain + rope), 2 * inner),
        "kv_a_proj_with_mqa": (inner + rope, WIDTH),
        "kv_b_proj": (HEADS * 2 * plain, inner),
        "o_proj": (WIDTH, HEADS * plain),
        "q_a_layernorm": (2 * inner,),
        "kv_a_layernorm": (inner,),
    }
    block = {name: shape for name, shape in _attention().items() if "proj" not in name} | _gated()
    return _language_model(block | {f"self_attn.{name}.weight": shape for name, shape in attention.items()}, seed)


def mamba(seed: int = 0) -> Arrays:
    """As Mamba: no attention, the head tied."""
    inner, states, steps = 2 * WIDTH, 8, 4
    block: Shapes = {
        "norm.weight": (WIDTH,),
        "mixer.in_proj.weight": (2 * inner, WIDTH),
        "mixer.conv1d.weight": (inner, 1, 4),
        "mixer.conv1d.bias": (inner,),
        "mixer.x_proj.weight": (steps + 2 * states, inner),
        "mixer.dt_proj.weight": (inner, steps),
        "mixer.dt_proj.bias": (inner,),
        "mixer.A_log": (inner, states),
        "mixer.D": (inner,),
        "mixer.out_proj.weight": (WIDTH, inner),
    }
    ends: Shapes = {"backbone.embeddings.weight": (WORDS, WIDTH), "backbone.norm_f.weight": (WIDTH,)}
    return _made(ends | _blocks(block, "backbone.layers"), seed)


def gpt2(seed: int = 0) -> Arrays:
    """Fused q, k, v; matrices stored inputs x outputs; LayerNorm; the head tied."""
    block: Shapes = {f"{norm}.{part}": (WIDTH,) for norm in ("ln_1", "ln_2") for part in ("weight", "bias")}
    sizes = {"attn.c_attn": (WIDTH, 3 * WIDTH), "attn.c_proj": (WIDTH, WIDTH), "mlp.c_fc": (WIDTH, 4 * WIDTH)}
    for name, (inputs, outputs) in (sizes | {"mlp.c_proj": (4 * WIDTH, WIDTH)}).items():
        block |= {f"{name}.weight": (inputs, outputs), f"{name}.bias": (outputs,)}
    ends: Shapes = {"transformer.wte.weight": (WORDS, WIDTH), "transformer.wpe.weight": (64, WIDTH)}
    ends |= {"transformer.ln_f.weight": (WIDTH,), "transformer.ln_f.bias": (WIDTH,)}
    made = _made(ends | _blocks(block, "transformer.h"), seed)
    return {name: values + np.float32("ln_" in name and name.endswith("weight")) for name, values in made.items()}


def bert(seed: int = 0) -> Arrays:
    """An encoder, normalised behind its blocks, with biases."""
    square = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")
    matrices: Shapes = dict.fromkeys(square, (WIDTH, WIDTH))
    matrices |= {"intermediate.dense": (HIDDEN, WIDTH), "output.dense": (WIDTH, HIDDEN)}
    block = {f"{name}.weight": shape for name, shape in matrices.items()}
    block |= {f"{name}.bias": shape[:1] for name, shape in matrices.items()}
    block |= {f"{n}.LayerNorm.{part}": (WIDTH,) for n in ("attention.output", "output") for part in ("weight", "bias")}
    ends: Shapes = {
        f"bert.embeddings.{n}_embeddings.weight": (s, WIDTH) for n, s in (("word", WORDS), ("position", 64), ("token_type", 2))
    }
    ends |= {"bert.embeddings.LayerNorm.weight": (WIDTH,), "bert.embeddings.LayerNorm.bias": (WIDTH,)}
    return _made(ends | _blocks(block, "bert.encoder.layer"), seed)


def tuned(base: Arrays, seed: int = 9) -> Arrays:
    """Return a fine-tune: a small step in every matrix."""
    return {
        name: values + np.float32(_TUNED) * numbers(name, *values.shape, seed=seed) * (values.ndim > 1)
        for name, values in base.items()
    }


def renamed(base: Arrays) -> Arrays:
    """Return the same weights under other names, in another order."""
    return {name.removeprefix("model."): base[name] for name in sorted(base, reverse=True)}


def with_embeddings_of(other: Arrays, base: Arrays) -> Arrays:
    """Return a model of its own behind the embeddings of another."""
    return base | {name: values for name, values in other.items() if "embed" in name or "head" in name}


def between(first: Arrays, second: Arrays) -> Arrays:
    """Return the mean of two models."""
    return {name: (values + second[name]) / np.float32(2) for name, values in first.items()}


MODELS: dict[str, tuple[str, Callable[[], Arrays]]] = {
    "llama": ("llama", llama),
    "llama-copy": ("llama", lambda: renamed(llama())),
    "llama-tuned": ("llama", lambda: tuned(llama())),
    "llama-other": ("llama", lambda: llama(1)),
    "llama-embeddings": ("llama", lambda: with_embeddings_of(llama(), llama(2))),
    "llama-merged": ("llama", lambda: between(tuned(llama()), tuned(llama(), 5))),
    "gpt2": ("gpt2", gpt2),
    "bert": ("bert", bert),
    "mixtral": ("mixtral", lambda: experts(3)),
    "deepseek": ("deepseek_v3", lambda: latent(4)),
    "mamba": ("mamba", lambda: mamba(5)),
}
"""Every golden model by its name: its `model_type`, and what makes its tensors."""


def config(model_type: str) -> dict[str, Any]:
    """Return the configuration, as transformers would write it."""
    known: dict[str, Any] = {"model_type": model_type, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS}
    if model_type == "deepseek_v3":
        known |= {"qk_rope_head_dim": 8, "qk_nope_head_dim": 16, "v_head_dim": 16, "kv_lora_rank": 16, "q_lora_rank": 32}
    return known


def save(folder: Path, name: str) -> Path:
    """Write a golden model as `save_pretrained` does, with a vocabulary that has every anchor word."""
    model_type, make = MODELS[name]
    path = folder / name
    path.mkdir(parents=True)
    save_file({each: np.ascontiguousarray(values) for each, values in make().items()}, path / "model.safetensors")
    (path / "config.json").write_text(json.dumps(config(model_type)))
    vocabulary = {f"Ġ{word}": 2 * place for place, word in enumerate(ANCHOR_WORDS)}
    (path / "tokenizer.json").write_text(json.dumps({"model": {"type": "BPE", "vocab": vocabulary, "merges": []}}))
    return path
