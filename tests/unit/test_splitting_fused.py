"""Fused tensors cut as the model's own forward pass cuts them, done here by hand with torch."""

import functools
from typing import Any

import numpy as np
import pytest
import torch

from support.models import arrays, matrix, stored, tiny, view_of
from tensorguard.tensors.view import View, canonical_view

SIZES = {"n_embd": 32, "n_head": 4, "n_layer": 2}


def check(view: View, layer: int, expected: dict[str, torch.Tensor], expert: int | None = None) -> None:
    found = {w.role: matrix(w) for w in view.weights if w.layer == layer and w.expert == expert}
    for role, tensor in expected.items():
        np.testing.assert_array_equal(found[role], tensor.detach().numpy(), err_msg=role)


def heads_first(fused: torch.Tensor, heads: int) -> dict[str, torch.Tensor]:
    """q, k, v of one head after the other, as `view(heads, 3, dim)` or `view(heads, 3 * dim)` in the model reads them."""
    parts = fused.view(heads, 3, -1, fused.shape[1]).unbind(1)
    return {role: part.reshape(-1, fused.shape[1]) for role, part in zip("qkv", parts, strict=True)}


def test_gpt2_thirds_of_the_columns_transposed() -> None:
    model = tiny("gpt2", **SIZES)
    for layer, block in enumerate(model.transformer.h):
        q, k, v = (part.T for part in block.attn.c_attn.weight.split(32, dim=1))
        others = {"o": block.attn.c_proj.weight.T, "fc_in": block.mlp.c_fc.weight.T, "fc_out": block.mlp.c_proj.weight.T}
        check(view_of(model), layer, {"q": q, "k": k, "v": v, **others})


def test_gpt_neox_and_bloom_and_persimmon_head_by_head() -> None:
    for model, path in (
        (tiny("gpt_neox"), "gpt_neox.layers.1.attention.query_key_value"),
        (tiny("bloom", n_layer=2, n_head=4), "transformer.h.1.self_attention.query_key_value"),
        (tiny("persimmon"), "model.layers.1.self_attn.query_key_value"),
        (tiny("falcon", multi_query=False, bias=True), "transformer.h.1.self_attention.query_key_value"),
        (tiny("gpt_bigcode", **SIZES, multi_query=False), "transformer.h.1.attn.c_attn"),
    ):
        check(view_of(model), 1, heads_first(model.get_submodule(path).weight, 4))


@pytest.mark.parametrize("kind", ["falcon", "gpt_bigcode"])
def test_multi_query_has_one_key_and_one_value_at_the_end(kind: str) -> None:
    model = tiny(kind, multi_query=True) if kind == "falcon" else tiny(kind, **SIZES)
    path = "transformer.h.0.self_attention.query_key_value" if kind == "falcon" else "transformer.h.0.attn.c_attn"
    q, k, v = model.get_submodule(path).weight.split([32, 8, 8])
    check(view_of(model), 0, {"q": q, "k": k, "v": v})


def test_falcon_new_decoder_by_groups() -> None:
    model = tiny("falcon", new_decoder_architecture=True, num_kv_heads=2)
    fused = model.transformer.h[1].self_attention.query_key_value.weight.view(2, 4, 8, 32)
    expected = {"q": fused[:, :-2], "k": fused[:, -2], "v": fused[:, -1]}
    check(view_of(model), 1, {role: part.reshape(-1, 32) for role, part in expected.items()})


def test_phi3_and_mpt_and_glm_one_after_the_other() -> None:
    phi = tiny("phi3")
    q, k, v = phi.model.layers[1].self_attn.qkv_proj.weight.split([32, 16, 16])
    gate, up = phi.model.layers[1].mlp.gate_up_proj.weight.chunk(2)
    check(view_of(phi), 1, {"q": q, "k": k, "v": v, "gate": gate, "up": up})
    mpt = tiny("mpt", d_model=32, n_heads=4, n_layers=2)
    q, k, v = mpt.transformer.blocks[0].attn.Wqkv.weight.chunk(3)
    check(view_of(mpt), 0, {"q": q, "k": k, "v": v})
    glm = tiny("glm", head_dim=8)
    gate, up = glm.model.layers[0].mlp.gate_up_proj.weight.chunk(2)
    check(view_of(glm), 0, {"gate": gate, "up": up})


def test_stacked_experts() -> None:
    for model, path in (
        (tiny("mixtral", num_local_experts=4), "model.layers.1.mlp.experts"),
        (tiny("granitemoe", num_local_experts=4), "model.layers.1.block_sparse_moe.experts"),
    ):
        experts = model.get_submodule(path)
        for expert in range(4):
            gate, up = experts.gate_up_proj[expert].chunk(2)
            check(view_of(model), 1, {"gate": gate, "up": up, "down": experts.down_proj[expert]}, expert)


def test_stacked_experts_stored_in_by_out() -> None:
    gpt_oss = tiny("gpt_oss", num_local_experts=4, head_dim=8)
    experts = gpt_oss.model.layers[0].mlp.experts
    for e in range(4):
        fused = experts.gate_up_proj[e]
        expected = {"gate": fused[:, ::2].T, "up": fused[:, 1::2].T, "down": experts.down_proj[e].T}
        check(view_of(gpt_oss), 0, expected, e)
    llama4 = tiny("llama4_text", num_local_experts=4, head_dim=8, intermediate_size_mlp=48)
    experts = llama4.model.layers[0].feed_forward.experts
    for e in range(4):
        gate, up = experts.gate_up_proj[e].chunk(2, dim=-1)
        check(view_of(llama4), 0, {"gate": gate.T, "up": up.T, "down": experts.down_proj[e].T}, e)


META = {
    "embed_tokens": "tok_embeddings",
    "lm_head": "output",
    "self_attn.q_proj": "attention.wq",
    "self_attn.k_proj": "attention.wk",
    "self_attn.v_proj": "attention.wv",
    "self_attn.o_proj": "attention.wo",
    "mlp.gate_proj": "feed_forward.w1",
    "mlp.up_proj": "feed_forward.w3",
    "mlp.down_proj": "feed_forward.w2",
    "input_layernorm": "attention_norm",
    "post_attention_layernorm": "ffn_norm",
}


def meta_name(name: str) -> str:
    """Meta's name of one of llama's tensors."""
    return functools.reduce(lambda text, old: text.replace(old, META[old]), META, name)


def renamed(model: torch.nn.Module, change: Any) -> View:
    """The view of llama's weights under another model's names and layout."""
    named = {}
    for name, array in arrays(model).items():
        named |= change(name, torch.from_numpy(array))
    return canonical_view(stored({n: np.asarray(t) for n, t in named.items()}), model.config.to_dict(), "safetensors")


def test_internlm2_baichuan_and_original_olmo_give_the_view_of_llama() -> None:
    """transformers has no class of these three; their modelling files' own arrangement is applied to llama's weights."""
    model = tiny("llama", num_key_value_heads=2)
    parts = {role: [getattr(block.self_attn, f"{role}_proj").weight for block in model.model.layers] for role in "qkv"}

    def internlm2(name: str, tensor: torch.Tensor) -> dict[str, torch.Tensor]:
        name = meta_name(name)
        if ".wq." in name:
            layer = int(name.split(".")[2])
            grouped = [
                parts["q"][layer].view(2, 2, 8, 32),
                parts["k"][layer].view(2, 1, 8, 32),
                parts["v"][layer].view(2, 1, 8, 32),
            ]
            return {f"model.layers.{layer}.attention.wqkv.weight": torch.cat(grouped, dim=1).reshape(64, 32).detach()}
        return {} if ".wk." in name or ".wv." in name else {name: tensor}

    def baichuan(name: str, tensor: torch.Tensor) -> dict[str, torch.Tensor]:
        if "q_proj" in name:
            layer = int(name.split(".")[2])
            return {name.replace("q_proj", "W_pack"): torch.cat([parts[role][layer] for role in "qkv"]).detach()}
        return {} if "k_proj" in name or "v_proj" in name else {name: tensor}

    reference = view_of(model)
    for change, table in ((internlm2, "internlm2"), (baichuan, "baichuan")):
        view = renamed(model, change)
        assert view.architecture == table
        assert [(w.role, w.layer, matrix(w).tobytes()) for w in view.weights] == [
            (w.role, w.layer, matrix(w).tobytes()) for w in reference.weights
        ]


def test_meta_names_restore_the_rotary_halves() -> None:
    """The inverse of `permute` in transformers' convert_llama_weights_to_hf gives Meta's layout."""
    model = tiny("llama")

    def meta(name: str, tensor: torch.Tensor) -> dict[str, torch.Tensor]:
        name = meta_name(name.removeprefix("model."))
        if ".wq." in name or ".wk." in name:
            heads = tensor.shape[0] // 8
            tensor = tensor.view(heads, 2, 4, 32).transpose(1, 2).reshape(tensor.shape)
        return {name: tensor}

    reference = view_of(model)
    named = {}
    for name, array in arrays(model).items():
        named |= meta(name, torch.from_numpy(array))
    tensors = stored({n: np.asarray(t) for n, t in named.items()})
    view = canonical_view(tensors, {"dim": 32, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2}, "safetensors")
    assert view.architecture == "llama_meta"
    assert view.notices == ()
    assert [(w.role, w.layer, matrix(w).tobytes()) for w in view.weights] == [
        (w.role, w.layer, matrix(w).tobytes()) for w in reference.weights
    ]
    silent = canonical_view(tensors, {}, "safetensors")
    assert any("rotary" in notice for notice in silent.notices)
