"""Settings of tiny models of the kinds of architecture that people publish, for `support.models.tiny`."""

from typing import Any, NamedTuple

ATTENTION, GATED, PLAIN = "q k v o", "gate up down", "fc_in fc_out"
LLAMA = f"{ATTENTION} {GATED}"
LATENT = f"q_a q_b kv_a kv_b o {GATED}"
SSM = "ssm_in ssm_gates ssm_out"
SSM_2 = f"{SSM} ssm_b ssm_c ssm_step"

_MLA = {
    "q_lora_rank": 16,
    "kv_lora_rank": 8,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "num_key_value_heads": 4,
}
_DEEPSEEK = {"n_routed_experts": 4, "moe_intermediate_size": 16, "first_k_dense_replace": 1, "n_group": 2, "topk_group": 1}
_EXPERTS = {"num_experts": 4, "moe_intermediate_size": 16, "shared_expert_intermediate_size": 24}
_MAMBA = {"mamba_n_heads": 4, "mamba_d_head": 16, "mamba_n_groups": 2, "mamba_d_state": 8, "mamba_expand": 2}
_DELTA = {
    "head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "layer_types": ["linear_attention", "full_attention"],
}
_NEMOTRON = {
    "layers_block_type": ["mamba", "attention", "mlp", "moe"],
    "num_hidden_layers": 4,
    "mamba_num_heads": 4,
    "mamba_head_dim": 16,
    "n_groups": 2,
    "ssm_state_size": 8,
    "head_dim": 8,
    "moe_shared_expert_intermediate_size": 24,
    **{name: value for name, value in _DEEPSEEK.items() if name != "first_k_dense_replace"},
    "n_group": 1,
}
_ZAMBA = {
    "mamba_ngroups": 1,
    "n_mamba_heads": 4,
    "mamba_headdim": 16,
    "mamba_d_state": 8,
    "num_hidden_layers": 3,
    "layers_block_type": ["mamba", "hybrid", "hybrid"],
    "num_mem_blocks": 1,
    "num_key_value_heads": 4,
    "adapter_rank": 4,
}
_TEXT = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
}
_EYE = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
_QWEN_EYE = {"depth": 2, "hidden_size": 16, "out_hidden_size": 32, "num_heads": 2, "intermediate_size": 24}
_SIDES: dict[str, Any] = {
    f"{side}_{what}": n
    for side in ("encoder", "decoder")
    for what, n in (("layers", 2), ("attention_heads", 4), ("ffn_dim", 48))
}
_EAR = {"d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 24, "num_mel_bins": 8}


class Family(NamedTuple):
    """A tiny model and what is in it.

    Attributes:
        model_type: As transformers calls it.
        kind: Which auto class makes it.
        settings: Of its configuration.
        table: The table that fits its language model.
        roles: Roles in the blocks of its language model.
        stacks: Its towers.
        blends: Whether the hub's names say things (fused biases, two towers) in a way that only the matrices can be compared.
    """

    model_type: str
    kind: str
    settings: dict[str, Any]
    table: str
    roles: str
    stacks: str = "decoder"
    blends: bool = False


def _text(model_type: str, **more: Any) -> dict[str, Any]:
    return {**_TEXT, "model_type": model_type, **more}


def _eye(model_type: str, **more: Any) -> dict[str, Any]:
    return {**_EYE, "model_type": model_type, **more}


_LM, _SEES, _SEQ, _MASKED = "CausalLM", "ImageTextToText", "Seq2SeqLM", "MaskedLM"
SEEING = "decoder projector vision"

FAMILIES = (
    Family("deepseek_v3", _LM, _MLA | _DEEPSEEK, "deepseek", f"{LATENT} router"),
    Family(
        "deepseek_v32", _LM, _MLA | _DEEPSEEK | {"index_n_heads": 2, "index_head_dim": 8}, "deepseek", f"{LATENT} router other"
    ),
    Family("mixtral", _LM, {"num_local_experts": 4}, "mixtral", f"{LLAMA} router"),
    Family("qwen2_moe", _LM, _EXPERTS, "qwen2_moe", f"{LLAMA} router shared_router"),
    Family("qwen3_moe", _LM, _EXPERTS | {"head_dim": 8}, "moe", f"{LLAMA} router"),
    Family("olmoe", _LM, {"num_experts": 4}, "moe", f"{LLAMA} router"),
    Family("granitemoeshared", _LM, {"num_local_experts": 4, "shared_intermediate_size": 24}, "granitemoe", f"{LLAMA} router"),
    Family("glm4_moe", _LM, _DEEPSEEK | {"head_dim": 8}, "deepseek_v1", f"{LLAMA} router"),
    Family("aria_text", _LM, {"moe_num_experts": 4}, "aria", f"{LLAMA} router"),
    Family("mamba2", _LM, {"num_heads": 4, "head_dim": 16, "n_groups": 2, "state_size": 8}, "mamba", f"{SSM_2} ssm_a"),
    Family(
        "jamba",
        _LM,
        {"num_experts": 4, "attn_layer_period": 2, "attn_layer_offset": 1, "mamba_dt_rank": 4},
        "jamba",
        f"{LLAMA} {SSM} ssm_x ssm_dt ssm_a router",
    ),
    Family("bamba", _LM, _MAMBA | {"attn_layer_indices": [1]}, "bamba", f"{LLAMA} {SSM_2} ssm_a"),
    Family("falcon_h1", _LM, _MAMBA | {"mamba_d_ssm": 64, "head_dim": 8}, "falcon_h1", f"{LLAMA} {SSM_2} ssm_a"),
    Family(
        "granitemoehybrid",
        _LM,
        _MAMBA | {"num_local_experts": 4, "shared_intermediate_size": 24, "layer_types": ["mamba", "attention"]},
        "granitemoe",
        f"{LLAMA} {SSM_2} router",
    ),
    Family("nemotron_h", _LM, _NEMOTRON, "nemotron_h", f"{ATTENTION} {PLAIN} {SSM_2} router"),
    Family("zamba2", _LM, _ZAMBA, "zamba2", f"{SSM_2} ssm_a other", "decoder shared"),
    Family(
        "recurrent_gemma",
        _LM,
        {"num_hidden_layers": 3, "lru_width": 32, "attention_window_size": 8, "head_dim": 8},
        "recurrent_gemma",
        f"{LLAMA} {SSM} ssm_x",
    ),
    Family("qwen3_next", _LM, _EXPERTS | _DELTA, "qwen3_next", f"{LLAMA} ssm_in ssm_x router shared_router"),
    Family("qwen3_5_text", _LM, _DELTA, "qwen3_next", f"{LLAMA} ssm_gates ssm_x ssm_dt"),
    Family("olmo_hybrid", _LM, {"layer_types": _DELTA["layer_types"]}, "olmo_hybrid", f"{LLAMA} other", blends=True),
    Family("lfm2", _LM, {"layer_types": ["conv", "full_attention"]}, "lfm2", f"{LLAMA} ssm_in ssm_b ssm_c ssm_out"),
    Family("mbart", _SEQ, _SIDES | {"d_model": 32}, "bart", f"{ATTENTION} {PLAIN}", "encoder decoder cross"),
    Family(
        "t5gemma",
        _SEQ,
        {side: _text("t5_gemma_module", head_dim=8) for side in ("encoder", "decoder")},
        "t5gemma",
        LLAMA,
        "encoder decoder cross",
    ),
    Family(
        "moonshine",
        "SpeechSeq2Seq",
        {f"{s}_num_{w}": n for s in ("encoder", "decoder") for w, n in (("hidden_layers", 2), ("attention_heads", 4))},
        "moonshine",
        f"{LLAMA} {PLAIN}",
        "encoder decoder cross",
    ),
    Family(
        "llava",
        _SEES,
        {"text_config": _text("llama"), "vision_config": _eye("clip_vision_model")},
        "llama",
        LLAMA,
        SEEING,
    ),
    Family(
        "qwen2_5_vl",
        _SEES,
        {"text_config": _TEXT, "vision_config": _QWEN_EYE | {"fullatt_block_indexes": [1]}},
        "qwen2",
        LLAMA,
        "decoder vision",
    ),
    Family(
        "paligemma",
        _SEES,
        {
            "text_config": _text("gemma", head_dim=8),
            "vision_config": _eye("siglip_vision_model"),
            "projection_dim": 32,
        },
        "gemma",
        LLAMA,
        SEEING,
    ),
    Family(
        "idefics3", _SEES, {"text_config": _text("llama"), "vision_config": _EYE, "scale_factor": 2}, "llama", LLAMA, SEEING
    ),
    Family(
        "internvl",
        _SEES,
        {"text_config": _text("qwen2"), "vision_config": _EYE | {"image_size": [28, 28], "patch_size": [14, 14]}},
        "qwen2",
        LLAMA,
        SEEING,
    ),
    Family(
        "mistral3",
        _SEES,
        {"text_config": _text("mistral"), "vision_config": _eye("pixtral", head_dim=8)},
        "mistral",
        LLAMA,
        SEEING,
    ),
    Family(
        "mllama",
        _SEES,
        {
            "text_config": _TEXT | {"cross_attention_layers": [1]},
            "vision_config": {name: value for name, value in _EYE.items() if name != "num_attention_heads"}
            | {"num_global_layers": 1, "attention_heads": 2, "intermediate_layers_indices": [0]},
        },
        "mllama",
        LLAMA,
        f"cross {SEEING}",
    ),
    Family(
        "qwen2_audio", _SEQ, {"text_config": _text("qwen2"), "audio_config": _EAR}, "qwen2", LLAMA, "audio decoder projector"
    ),
    Family("nomic_bert", _MASKED, {}, "nomic_bert", LLAMA, "encoder"),
    Family("gte", _MASKED, {}, "gte", LLAMA, "encoder", blends=True),
    Family("deberta-v2", _MASKED, {}, "bert", f"{ATTENTION} {PLAIN}", "encoder"),
)
