"""Tiny models of real architectures, random weights, built from configurations alone."""

from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from support.memory import MemoryTensor
from tensorguard.tensors.view import View, canonical_view
from tensorguard.tensors.weight import Weight

_SIZES = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}


def tiny(model_type: str, kind: str = "CausalLM", seed: int = 0, **settings: Any) -> torch.nn.Module:
    """Return a model with two blocks of width 32 (unless `settings` say otherwise) whose every parameter is random."""
    config = transformers.AutoConfig.for_model(model_type, **{**_SIZES, **settings})
    model = getattr(transformers, f"AutoModelFor{kind}").from_config(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model


def arrays(model: torch.nn.Module) -> dict[str, NDArray[np.float32]]:
    """Return the state dict as numpy arrays."""
    return {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}


def stored(named: dict[str, NDArray[Any]]) -> list[MemoryTensor]:
    """Return arrays as stored tensors."""
    return [MemoryTensor(name, array) for name, array in named.items()]


def view_of(model: torch.nn.Module) -> View:
    """Return the canonical view of a model as its safetensors file would give it."""
    return canonical_view(stored(arrays(model)), model.config.to_dict(), "safetensors")


def matrix(weight: Weight) -> NDArray[np.float32]:
    """Return the whole of W."""
    return weight.rows(0, weight.shape[0])


def places(view: View) -> list[tuple[Any, ...]]:
    """Return everything that two views of the same weights must agree on, names apart: places and values in order."""
    weights = [(w.stack, w.layer, w.role, w.expert, w.shape, matrix(w).tobytes()) for w in view.weights]
    vectors = [(v.stack, v.layer, v.role, v.part, v.expert, v.stored.read(*_whole(v.stored)).tobytes()) for v in view.vectors]
    return [*weights, *vectors, view.parameters]


def _whole(tensor: Any) -> tuple[slice, slice]:
    rows = int(np.prod(tensor.shape[:-1], dtype=np.int64)) if tensor.shape else 1
    return slice(0, rows), slice(0, tensor.shape[-1] if tensor.shape else 1)
