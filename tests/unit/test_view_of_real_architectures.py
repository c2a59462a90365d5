"""Every architecture that transformers can build: the tables know every name, and the roles are the model's own."""

from collections import Counter
from typing import Any

import pytest

from support.models import tiny, view_of

ATTENTION = {"q": 2, "k": 2, "v": 2, "o": 2}
GATED = {"gate": 2, "up": 2, "down": 2}
PLAIN = {"fc_in": 2, "fc_out": 2}
ENDS = {"embed": 1, "lm_head": 1}
LLAMA = {**ENDS, **ATTENTION, **GATED}
FOX = {**ENDS, **ATTENTION, **PLAIN}
GPT2_SIZES = {"n_embd": 32, "n_head": 4, "n_layer": 2}
EIGHT = {"head_dim": 8}
EXPERTS = {"num_experts": 4, "moe_intermediate_size": 16}
ROUTED = {"gate": 8, "up": 8, "down": 8, "router": 2}
MOE = {**ENDS, **ATTENTION, **ROUTED}
SHARED = {"gate": 10, "up": 10, "down": 10, "router": 2, "shared_router": 2}
MLA_SIZES = {"q_lora_rank": 16, "kv_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 8, "v_head_dim": 8}
DEEPSEEK = {"n_routed_experts": 4, "moe_intermediate_size": 16, "first_k_dense_replace": 1, "n_group": 2, "topk_group": 1}
MLA = {"q_a": 2, "q_b": 2, "kv_a": 2, "kv_b": 2, "o": 2, "gate": 6, "up": 6, "down": 6, "router": 1}


def without(roles: dict[str, int], *names: str, **more: int) -> dict[str, int]:
    return {**{role: count for role, count in roles.items() if role not in names}, **more}


DECODERS: list[tuple[str, dict[str, Any], str, dict[str, int]]] = [
    ("llama", {}, "llama", LLAMA),
    ("mistral", {}, "mistral", LLAMA),
    ("qwen2", {}, "qwen2", LLAMA),
    ("qwen3", EIGHT, "qwen3", LLAMA),
    ("gemma", EIGHT, "gemma", without(LLAMA, "lm_head")),
    ("gemma2", EIGHT, "gemma2", without(LLAMA, "lm_head")),
    ("gemma3_text", EIGHT, "gemma3", without(LLAMA, "lm_head")),
    ("phi", {}, "phi", FOX),
    ("phi3", {}, "phi3", LLAMA),
    ("gpt2", GPT2_SIZES, "gpt2", without(FOX, "lm_head", position=1)),
    (
        "gpt_neo",
        {"attention_types": [[["global"], 2]], "num_layers": 2, "num_heads": 4},
        "gpt_neo",
        without(FOX, "lm_head", position=1),
    ),
    ("gpt_neox", {}, "gpt_neox", FOX),
    ("gptj", {**GPT2_SIZES, "rotary_dim": 4}, "gptj", FOX),
    ("gpt_bigcode", GPT2_SIZES, "gpt_bigcode", without(FOX, "lm_head", position=1)),
    ("gpt_bigcode", {**GPT2_SIZES, "multi_query": False}, "gpt_bigcode", without(FOX, "lm_head", position=1)),
    ("bloom", {"n_layer": 2, "n_head": 4}, "bloom", without(FOX, "lm_head")),
    ("falcon", {"new_decoder_architecture": True, "num_kv_heads": 2}, "falcon", without(FOX, "lm_head")),
    ("falcon", {"multi_query": True}, "falcon", without(FOX, "lm_head")),
    ("falcon", {"multi_query": False, "bias": True}, "falcon", without(FOX, "lm_head")),
    (
        "opt",
        {"ffn_dim": 48, "word_embed_proj_dim": 16},
        "opt",
        without(FOX, "lm_head", position=1, project_in=1, project_out=1),
    ),
    ("mpt", {"d_model": 32, "n_heads": 4, "n_layers": 2}, "mpt", without(FOX, "lm_head")),
    ("persimmon", {}, "persimmon", FOX),
    ("stablelm", {}, "stablelm", LLAMA),
    ("stablelm", {"qk_layernorm": True}, "stablelm", LLAMA),
    ("starcoder2", {}, "starcoder2", without(FOX, "lm_head")),
    ("cohere", {}, "cohere", without(LLAMA, "lm_head")),
    ("cohere2", {}, "cohere", without(LLAMA, "lm_head")),
    ("granite", {}, "granite", LLAMA),
    ("glm", EIGHT, "glm4", LLAMA),
    ("glm4", EIGHT, "glm4", LLAMA),
    ("olmo", {}, "olmo", LLAMA),
    ("olmo2", {}, "olmo2", LLAMA),
    ("nemotron", {}, "nemotron", FOX),
    ("smollm3", {}, "llama", without(LLAMA, "lm_head")),
    ("mixtral", {"num_local_experts": 4}, "mixtral", MOE),
    ("phimoe", {"num_local_experts": 4}, "mixtral", MOE),
    ("olmoe", {"num_experts": 4}, "moe", MOE),
    ("granitemoe", {"num_local_experts": 4}, "granitemoe", MOE),
    ("qwen3_moe", {**EXPERTS, **EIGHT}, "moe", MOE),
    ("qwen2_moe", {**EXPERTS, "shared_expert_intermediate_size": 24}, "qwen2_moe", {**ENDS, **ATTENTION, **SHARED}),
    ("gpt_oss", {"num_local_experts": 4, **EIGHT}, "gpt_oss", MOE),
    (
        "llama4_text",
        {"num_local_experts": 4, **EIGHT, "intermediate_size_mlp": 48},
        "llama4",
        {**MOE, "gate": 10, "up": 10, "down": 10},
    ),
    ("mamba", {}, "mamba", {"embed": 1, "ssm_in": 2, "ssm_gates": 2, "ssm_x": 2, "ssm_dt": 2, "ssm_a": 2, "ssm_out": 2}),
]


@pytest.mark.parametrize(
    ("model_type", "settings", "table", "roles"), DECODERS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_decoder(model_type: str, settings: dict[str, Any], table: str, roles: dict[str, int]) -> None:
    model = tiny(model_type, **settings)
    view = view_of(model)
    assert view.unknown == ()
    assert view.architecture == table
    assert Counter(w.role for w in view.weights) == roles
    assert {w.stack for w in view.weights} == {"decoder"}
    assert {w.layer for w in view.weights} == {None, 0, 1}
    assert view.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert not {v.role for v in view.vectors} - {"norm", "bias", "vector"}


@pytest.mark.parametrize("model_type", ["deepseek_v2", "deepseek_v3"])
def test_latent_attention_and_shared_experts(model_type: str) -> None:
    model = tiny(model_type, **MLA_SIZES, **DEEPSEEK)
    view = view_of(model)
    assert view.unknown == ()
    assert Counter(w.role for w in view.weights) == {**ENDS, **MLA}
    assert {w.expert for w in view.weights if w.role == "gate"} == {None, 0, 1, 2, 3}
    # DeepSeek-V3's correction of the router is a buffer for transformers; it is learnt, so it counts here.
    corrections = sum(v.stored.shape[0] for v in view.vectors if v.part == "router")
    assert view.parameters == sum(parameter.numel() for parameter in model.parameters()) + corrections


@pytest.mark.parametrize(
    ("model_type", "settings", "table", "more"),
    [
        ("bert", {}, "bert", {"token_type": 1}),
        ("roberta", {}, "roberta", {"token_type": 1}),
        ("xlm-roberta", {}, "roberta", {"token_type": 1}),
        ("camembert", {}, "roberta", {"token_type": 1}),
        ("mpnet", {}, "roberta", {"relative": 1}),
        ("distilbert", {"dim": 32, "n_heads": 4, "n_layers": 2, "hidden_dim": 48}, "distilbert", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_encoder(model_type: str, settings: dict[str, Any], table: str, more: dict[str, int]) -> None:
    model = tiny(model_type, "MaskedLM", **settings)
    view = view_of(model)
    assert view.unknown == ()
    assert view.architecture == table
    assert Counter(w.role for w in view.weights) == {"embed": 1, "position": 1, "head": 1, **ATTENTION, **PLAIN, **more}
    assert {w.stack for w in view.weights} == {"encoder"}
    assert view.parameters == sum(parameter.numel() for parameter in model.parameters())


T5_SIZES = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}


@pytest.mark.parametrize(
    ("model_type", "settings", "inner"),
    [
        ("t5", {}, PLAIN),
        ("t5", {"feed_forward_proj": "gated-gelu"}, GATED),
        ("mt5", {"feed_forward_proj": "gated-gelu"}, GATED),
    ],
)
def test_encoder_decoder(model_type: str, settings: dict[str, Any], inner: dict[str, int]) -> None:
    model = tiny(model_type, "Seq2SeqLM", **T5_SIZES, **settings)
    view = view_of(model)
    assert view.unknown == ()
    assert view.architecture == "t5"
    stacks = {stack: Counter(w.role for w in view.weights if w.stack == stack) for stack in ("encoder", "decoder", "cross")}
    assert stacks["cross"] == ATTENTION
    assert {role: n for role, n in stacks["encoder"].items() if role not in ("embed", "relative")} == {**ATTENTION, **inner}
    assert {role: n for role, n in stacks["decoder"].items() if role not in ("lm_head", "relative")} == {**ATTENTION, **inner}
    assert stacks["encoder"]["embed"] == 1
    assert view.parameters == sum(parameter.numel() for parameter in model.parameters())


def test_bart() -> None:
    sizes = {
        f"{side}_{what}": n
        for side in ("encoder", "decoder")
        for what, n in (("layers", 2), ("attention_heads", 4), ("ffn_dim", 48))
    }
    model = tiny("bart", "Seq2SeqLM", d_model=32, **sizes)
    view = view_of(model)
    assert view.unknown == ()
    assert {w.role for w in view.weights if w.stack == "cross"} == set(ATTENTION)
    assert view.parameters == sum(parameter.numel() for parameter in model.parameters())
