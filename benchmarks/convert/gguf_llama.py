"""A Llama in GGUF, as safetensors with the names and row order that transformers uses.

GGUF's converter permutes the rows of q and k for its own rotary layout (pairs side by side); that is undone here, so the tensors
are those of the original checkpoint up to quantisation.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from benchmarks.checkpoint import Entry, write_model

_OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_IN_BLOCK = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_DTYPES = {"F32": np.dtype(np.float32), "BF16": np.dtype(ml_dtypes.bfloat16)}


def transformers_name(name: str) -> str:
    """Translate a tensor's GGUF name: `blk.3.attn_q.weight` is `model.layers.3.self_attn.q_proj.weight`."""
    parts = name.split(".")
    if parts[0] == "blk":
        return f"model.layers.{parts[1]}.{_IN_BLOCK[parts[2]]}.weight"
    return f"{_OUTSIDE[parts[0]]}.weight"


def unpermute(rows: np.ndarray, heads: int) -> np.ndarray:
    """Put the rows of q or k back: within a head, from (0, d/2, 1, d/2 + 1, ...) to (0, 1, ..., d - 1)."""
    return rows.reshape(heads, -1, 2, rows.shape[-1]).swapaxes(1, 2).reshape(rows.shape)


def convert(source: Path, folder: Path, *, dtype: str) -> None:
    """Dequantise every tensor of `source` and write a model folder.

    Args:
        source: The GGUF file.
        folder: Where `model.safetensors` and `config.json` go.
        dtype: "F32" keeps the decoded values exactly; "BF16" rounds them to nearest even.
    """
    from gguf import GGUFReader

    reader = GGUFReader(source)
    config = _config(reader)
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    entries = [
        Entry(
            transformers_name(tensor.name),
            dtype,
            tuple(int(n) for n in reversed(tensor.shape)),
            partial(_decode, tensor, heads.get(tensor.name.split(".")[-2], 0), _DTYPES[dtype]),
        )
        for tensor in reader.tensors
    ]
    config["tie_word_embeddings"] = all(item.name != "lm_head.weight" for item in entries)
    config["torch_dtype"] = {"F32": "float32", "BF16": "bfloat16"}[dtype]
    write_model(folder, entries, config)


def _decode(tensor: Any, heads: int, dtype: np.dtype[Any]) -> list[np.ndarray]:
    from gguf import dequantize

    decoded = dequantize(tensor.data, tensor.tensor_type)
    return [(unpermute(decoded, heads) if heads else decoded).astype(dtype)]


def _config(reader: Any) -> dict[str, Any]:
    field: Callable[[str], Any] = lambda key: reader.fields[f"llama.{key}"].contents()  # noqa: E731
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": field("embedding_length"),
        "intermediate_size": field("feed_forward_length"),
        "num_hidden_layers": field("block_count"),
        "num_attention_heads": field("attention.head_count"),
        "num_key_value_heads": field("attention.head_count_kv"),
        "head_dim": field("rope.dimension_count"),
        "max_position_embeddings": field("context_length"),
        "rms_norm_eps": float(np.format_float_positional(np.float32(field("attention.layer_norm_rms_epsilon")))),
        "rope_theta": field("rope.freq_base"),
        "vocab_size": field("vocab_size"),
        "bos_token_id": reader.fields["tokenizer.ggml.bos_token_id"].contents(),
        "eos_token_id": reader.fields["tokenizer.ggml.eos_token_id"].contents(),
    }
