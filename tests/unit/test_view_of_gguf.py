"""GGUF's names and layouts give the view of the safetensors they were made from.

Names come from the `gguf` package's own table of tensor names; the changes of layout are those of llama.cpp's converter.
"""

import re
from collections.abc import Callable
from typing import Any

import gguf
import numpy as np
import pytest
from numpy.typing import NDArray

from support.models import arrays, matrix, stored, tiny, view_of
from tensorguard.tensors.view import View, canonical_view

Arrays = dict[str, NDArray[np.float32]]


def permute(weights: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """llama.cpp's documented `permute`: halves of each head to interleaved pairs."""
    return weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def llama(named: Arrays) -> Arrays:
    heads = {"q_proj.weight": 4, "k_proj.weight": 2, "q_proj.bias": 4, "k_proj.bias": 2}
    return {n: next((permute(a, h) for end, h in heads.items() if n.endswith(end)), a) for n, a in named.items()}


def gpt2(named: Arrays) -> Arrays:
    ends = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    return {n: np.ascontiguousarray(a.T) if n.endswith(ends) else a for n, a in named.items()}


def fused_heads(named: Arrays) -> Arrays:
    """GPT-NeoX and BLOOM: from head by head to all q, all k, all v."""
    return {
        n: np.concatenate(np.split(a.reshape(4, 3, 8, *a.shape[1:]), 3, axis=1)).reshape(a.shape)
        if "query_key_value" in n
        else a
        for n, a in named.items()
    }


def same(named: Arrays) -> Arrays:
    return named


def bert(named: Arrays) -> Arrays:
    """The converter strips the model's prefix."""
    return {re.sub("^(bert|roberta)[.]", "", name): array for name, array in named.items()}


def mixtral(named: Arrays) -> Arrays:
    """Experts from gate_up to one stack each, as w1 and w3."""
    changed: Arrays = {}
    for name, array in llama(named).items():
        if name.endswith("experts.gate_up_proj"):
            base = name.removesuffix("mlp.experts.gate_up_proj")
            changed[f"{base}mlp.experts.gate_proj.weight"], changed[f"{base}mlp.experts.up_proj.weight"] = np.split(
                array, 2, axis=1
            )
        else:
            changed[f"{name}.weight" if name.endswith("experts.down_proj") else name] = array
    return changed


def written(named: Arrays, architecture: str) -> Arrays:
    """Rename as llama.cpp's converter does, by the `gguf` package's name table; what it has no name for is left out."""
    number = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    table = gguf.get_tensor_name_map(number, 2)
    renamed = {table.get_name(name, try_suffixes=(".weight", ".bias")): array for name, array in named.items()}
    return {name: array for name, array in renamed.items() if name is not None}


CASES: list[tuple[str, str, str, dict[str, Any], Callable[[Arrays], Arrays]]] = [
    ("llama", "CausalLM", "llama", {}, llama),
    ("granite", "CausalLM", "granite", {}, llama),
    ("smollm3", "CausalLM", "smollm3", {}, llama),
    ("qwen2", "CausalLM", "qwen2", {}, same),
    ("qwen3", "CausalLM", "qwen3", {"head_dim": 8}, same),
    ("gemma2", "CausalLM", "gemma2", {"head_dim": 8}, same),
    ("gemma3_text", "CausalLM", "gemma3", {"head_dim": 8}, same),
    ("phi", "CausalLM", "phi2", {}, same),
    ("phi3", "CausalLM", "phi3", {}, same),
    ("glm4", "CausalLM", "glm4", {"head_dim": 8}, same),
    ("gpt2", "CausalLM", "gpt2", {"n_embd": 32, "n_head": 4, "n_layer": 2}, gpt2),
    ("gpt_neox", "CausalLM", "gptneox", {}, fused_heads),
    ("bloom", "CausalLM", "bloom", {"n_layer": 2, "n_head": 4}, fused_heads),
    ("falcon", "CausalLM", "falcon", {"multi_query": True}, same),
    ("mpt", "CausalLM", "mpt", {"d_model": 32, "n_heads": 4, "n_layers": 2}, same),
    ("stablelm", "CausalLM", "stablelm", {}, same),
    ("starcoder2", "CausalLM", "starcoder2", {}, same),
    ("cohere", "CausalLM", "command-r", {}, same),
    ("olmo2", "CausalLM", "olmo2", {}, same),
    ("nemotron", "CausalLM", "nemotron", {}, same),
    ("mixtral", "CausalLM", "llama", {"num_local_experts": 4}, mixtral),
    ("bert", "MaskedLM", "bert", {}, bert),
    ("roberta", "MaskedLM", "bert", {}, bert),
    ("t5", "Seq2SeqLM", "t5", {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}, same),
]


def contents(view: View, names: set[bytes] | None = None) -> list[tuple[Any, ...]]:
    """Places and values; with `names`, only of the values in it."""
    listed = [(w.stack, w.layer, w.role, w.expert, w.shape, matrix(w).tobytes()) for w in view.weights]
    return [entry for entry in listed if names is None or entry[-1] in names]


@pytest.mark.parametrize(("model_type", "kind", "architecture", "settings", "change"), CASES, ids=[case[0] for case in CASES])
def test_gguf_view_equals_the_safetensors_view(
    model_type: str, kind: str, architecture: str, settings: dict[str, Any], change: Callable[[Arrays], Arrays]
) -> None:
    model = tiny(model_type, kind, **settings)
    reference = view_of(model)
    config = {
        "general.architecture": architecture,
        f"{architecture}.attention.head_count": 4,
        f"{architecture}.attention.head_count_kv": 2,
    }
    view = canonical_view(stored(written(change(arrays(model)), architecture)), config, "gguf")
    assert view.unknown == ()
    assert re.match("gguf", view.architecture)
    mine = contents(view)
    assert mine == contents(reference, {entry[-1] for entry in mine})
    missing = {w.role for w in reference.weights} - {w.role for w in view.weights}
    assert missing <= {"head"}, "only BERT's task head is left out by the converter"


def test_without_a_head_count_rows_stay_interleaved_and_say_so() -> None:
    named = written(llama(arrays(tiny("llama"))), "llama")
    view = canonical_view(stored(named), {"general.architecture": "llama"}, "gguf")
    assert [w.order.rotary for w in view.weights if w.role == "q"] == [0, 0]
    assert any("rotary" in notice for notice in view.notices)
