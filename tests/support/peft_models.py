"""Tiny random models and adapters made by PEFT itself, and PEFT's own merge of them: the reference for ours."""

import copy
from pathlib import Path

import peft
import torch
import transformers
from safetensors.torch import load_file

LLAMA = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 67,
    "max_position_embeddings": 64,
    "tie_word_embeddings": False,
    "attention_bias": True,
}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 67, "n_positions": 32}


def save_llama(folder: Path, dtype: torch.dtype = torch.float32, **changes: object) -> Path:
    """Save a tiny Llama (linear layers, with biases in attention)."""
    torch.manual_seed(1)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**{**LLAMA, **changes}))
    return _save(model, folder, dtype)


def save_gpt2(folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    """Save a tiny GPT-2 (Conv1D layers, stored in x out)."""
    torch.manual_seed(2)
    return _save(transformers.GPT2LMHeadModel(transformers.GPT2Config(**GPT2)), folder, dtype)


def save_adapter(base: Path, folder: Path, config: peft.PeftConfig, seed: int = 3, spread: float = 0.3) -> Path:
    """Make an adapter of random numbers on a base, and save it as PEFT does."""
    torch.manual_seed(seed)
    model = peft.get_peft_model(_load(base), copy.deepcopy(config))
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            offset = 1.0 if "ia3" in name or "magnitude" in name else 0.0
            parameter.data = (offset + spread * torch.randn_like(parameter.float())).to(parameter.dtype)
    model.save_pretrained(folder)
    return folder


def merged_by_peft(base: Path, adapter: Path) -> dict[str, torch.Tensor]:
    """Return the state after PEFT's own merge_and_unload, tied tensors under both names."""
    model = peft.PeftModel.from_pretrained(_load(base), str(adapter))
    if model.active_peft_config.is_prompt_learning:
        return dict(model.get_base_model().state_dict())
    return dict(model.merge_and_unload().state_dict())


def load(path: Path) -> dict[str, torch.Tensor]:
    """Return a safetensors file's tensors, read by the reference implementation."""
    return dict(load_file(path))


def _load(base: Path) -> transformers.PreTrainedModel:
    return transformers.AutoModelForCausalLM.from_pretrained(base, dtype="auto")


def _save(model: transformers.PreTrainedModel, folder: Path, dtype: torch.dtype) -> Path:
    for parameter in model.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    model.to(dtype).save_pretrained(folder)
    return folder
