"""The configuration of a BERT encoder, the same for every container it comes out of."""

from typing import Any


def bert_config(
    *, hidden: int, layers: int, heads: int, intermediate: int, vocabulary: int, positions: int, types: int
) -> dict[str, Any]:
    """Return the part of `config.json` that decides the shapes and the forward pass."""
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": positions,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "type_vocab_size": types,
        "vocab_size": vocabulary,
    }
