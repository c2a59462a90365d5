"""Categories from shapes alone, for models whose names say nothing or lie."""

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from support.memory import MemoryTensor
from support.models import arrays, stored, tiny
from tensorguard.tensors.roles import category
from tensorguard.tensors.view import canonical_view

SIZES: dict[str, Any] = {"vocab_size": 500, "num_hidden_layers": 4, "hidden_size": 32}
MODELS = {
    "llama": ("llama", "CausalLM", {**SIZES, "intermediate_size": 88}),
    "llama_wide_heads": ("llama", "CausalLM", {**SIZES, "head_dim": 16, "intermediate_size": 88}),
    "phi3": ("phi3", "CausalLM", {**SIZES, "intermediate_size": 88}),
    "gpt2": ("gpt2", "CausalLM", {"vocab_size": 500, "n_embd": 32, "n_head": 4, "n_layer": 4}),
    "bert": ("bert", "MaskedLM", {**SIZES, "intermediate_size": 128}),
}


def categories(name: str, rename: Any) -> tuple[Any, dict[str, str]]:
    """Return the view under new names, and the category that each original name got."""
    model_type, kind, sizes = MODELS[name]
    named = arrays(tiny(model_type, kind, **sizes))
    new = {rename(i): key for i, key in enumerate(named)}
    view = canonical_view(stored({alias: named[key] for alias, key in new.items()}), {}, "safetensors")
    return view, {new[w.name]: category(w.role) for w in view.weights}


def expected(key: str) -> str:
    if any(part in key for part in ("embed_tokens", "wte", "wpe", "word_embeddings", "position_embeddings", "token_type")):
        return "embedding"
    return "attention" if "attn" in key or "attention" in key else "ffn"


@pytest.mark.parametrize("name", sorted(MODELS))
def test_scrambled_names(name: str) -> None:
    letters = random.Random(5)
    view, found = categories(name, lambda i: "".join(letters.choices("abcdefghij", k=12)) + str(i))
    assert view.architecture == "unknown"
    blocks = {key: got for key, got in found.items() if "lm_head" not in key and "cls." not in key}
    assert blocks == {key: expected(key) for key in blocks}
    assert {w.layer for w in view.weights} == {None}
    assert any("repetition" in notice for notice in view.notices)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_names_of_right_matrices_on_wrong_ones(name: str) -> None:
    """Names that a table knows, dealt out at random: shapes contradict them, so they are not believed."""
    model_type, kind, sizes = MODELS[name]
    named = arrays(tiny(model_type, kind, **sizes))
    matrices = [key for key, array in named.items() if array.ndim == 2]
    dealt = random.Random(3).sample(matrices, len(matrices))
    view = canonical_view(stored({alias: named[key] for alias, key in zip(matrices, dealt, strict=True)}), {}, "safetensors")
    origin = dict(zip(matrices, dealt, strict=True))
    assert view.architecture == "unknown"
    blocks = {
        origin[w.name]: category(w.role)
        for w in view.weights
        if "lm_head" not in origin[w.name] and "cls." not in origin[w.name]
    }
    assert blocks == {key: expected(key) for key in blocks}


def test_unknown_names_that_count_give_the_layers() -> None:
    named = arrays(tiny("llama", **MODELS["llama"][2]))
    strange = {key.replace("self_attn", "mixer").replace("mlp", "lump").replace("_proj", ""): a for key, a in named.items()}
    view = canonical_view(stored(strange), {}, "safetensors")
    assert view.architecture == "unknown"
    assert Counter(w.layer for w in view.weights if category(w.role) in ("attention", "ffn")) == {0: 7, 1: 7, 2: 7, 3: 7}
    assert {w.name for w in view.weights if w.layer is None} == {"model.embed_tokens.weight", "lm_head.weight"}


def test_a_handful_of_matrices_says_nothing() -> None:
    view = canonical_view(
        [MemoryTensor("a", np.ones((3, 5), np.float32)), MemoryTensor("b", np.ones(4, np.float32))], {}, "gguf"
    )
    assert [(w.role, w.layer) for w in view.weights] == [("other", None)]
    assert [v.role for v in view.vectors] == ["vector"]
    assert view.parameters == 19
