"""Tiny randomly initialised models of every architecture of the zoo, with norms and biases that are not the defaults."""

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from benchmarks.zoo.derivations.checkpoint import Checkpoint

VOCABULARY = 96
_SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 0,
}
_GPT2: dict[str, Any] = {"vocab_size": VOCABULARY, "n_embd": 32, "n_layer": 4, "n_head": 4, "n_positions": 64}

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", _SIZES),
    "llama-mha": ("llama", _SIZES | {"num_key_value_heads": 4}),
    "llama-relu": ("llama", _SIZES | {"hidden_act": "relu"}),
    "mistral": ("mistral", _SIZES | {"head_dim": 16, "sliding_window": None}),
    "qwen2": ("qwen2", _SIZES | {"tie_word_embeddings": True}),
    "gemma": ("gemma", _SIZES | {"head_dim": 8, "num_key_value_heads": 1}),
    "gemma2": ("gemma2", _SIZES | {"head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 16}),
    "phi3": ("phi3", _SIZES),
    "mixtral": ("mixtral", _SIZES | {"num_local_experts": 4, "num_experts_per_tok": 2}),
    "olmo2": ("olmo2", _SIZES),
    "gpt2": ("gpt2", _GPT2 | {"bos_token_id": 0, "eos_token_id": 1}),
}


def tiny(name: str, seed: int = 0) -> Checkpoint:
    """The model `name` of `MODELS`, as transformers would save it, every tensor random."""
    kind, settings = MODELS[name]
    torch.manual_seed(seed)
    config = AutoConfig.for_model(kind, **settings)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for each in model.parameters():
            each.add_(torch.randn_like(each) * 0.1)
    tensors = {each: values.float().numpy().copy() for each, values in model.state_dict().items()}
    if config.tie_word_embeddings:
        del tensors["lm_head.weight"]
    if kind == "mixtral":
        tensors = _experts_apart(tensors)
    facts = config.to_dict() | {"architectures": [type(model).__name__]}
    return Checkpoint(tensors, facts)


def _experts_apart(tensors: dict[str, Any]) -> dict[str, Any]:
    """transformers holds all experts in one tensor and saves them one by one."""
    apart: dict[str, Any] = {}
    for name, values in tensors.items():
        stem = name.partition("mlp.")[0] + "block_sparse_moe."
        if name.endswith("experts.gate_up_proj"):
            for expert, both in enumerate(values):
                apart[f"{stem}experts.{expert}.w1.weight"], apart[f"{stem}experts.{expert}.w3.weight"] = both.reshape(
                    2, -1, both.shape[1]
                )
        elif name.endswith("experts.down_proj"):
            apart |= {f"{stem}experts.{expert}.w2.weight": down for expert, down in enumerate(values)}
        elif name.endswith("mlp.gate.weight"):
            apart[f"{stem}gate.weight"] = values
        else:
            apart[name] = values
    return apart
