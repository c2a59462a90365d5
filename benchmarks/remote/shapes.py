"""Shapes of published Llama models: which tensors they hold, and into which shards transformers cuts them.

Figures are those of the models' `config.json`; shards are filled in the order of the model's `state_dict` up to 5 GB each, and tensors
lie sorted by name within one, as the safetensors library writes them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

SHARD_BYTES = 5 * 10**9
"""What `save_pretrained` put into one file when these models were published."""

_ITEM = 2
_HIDDEN = "hidden"


class Tensor(NamedTuple):
    """A tensor of BF16 numbers, and what its two sides are indexed by: what a disguise has to permute.

    Attributes:
        name: As transformers calls it.
        rows: 1 for vectors.
        columns: Numbers in a row.
        row_space: `hidden`, `neurons N` of block N, or empty for what is not permuted.
        column_space: Likewise.
        vector: Whether it is stored with one dimension.
    """

    name: str
    rows: int
    columns: int
    row_space: str = ""
    column_space: str = ""
    vector: bool = False

    @property
    def shape(self) -> list[int]:
        return [self.columns] if self.vector else [self.rows, self.columns]

    @property
    def nbytes(self) -> int:
        return self.rows * self.columns * _ITEM


@dataclass(frozen=True)
class Shape:
    """The widths of one Llama.

    Attributes:
        label: How large it is, in words.
        tokenizer_bytes: About how long its `tokenizer.json` is.
    """

    label: str
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    tied: bool
    tokenizer_bytes: int

    def tensors(self) -> list[Tensor]:
        """Return all tensors in the order of the model's `state_dict`."""
        d, kv = self.hidden, self.hidden // self.heads * self.kv_heads
        found = [Tensor("model.embed_tokens.weight", self.vocabulary, d, "", _HIDDEN)]
        for layer in range(self.layers):
            neurons, prefix = f"neurons {layer}", f"model.layers.{layer}."
            found += [
                Tensor(f"{prefix}self_attn.q_proj.weight", d, d, "", _HIDDEN),
                Tensor(f"{prefix}self_attn.k_proj.weight", kv, d, "", _HIDDEN),
                Tensor(f"{prefix}self_attn.v_proj.weight", kv, d, "", _HIDDEN),
                Tensor(f"{prefix}self_attn.o_proj.weight", d, d, _HIDDEN, ""),
                Tensor(f"{prefix}mlp.gate_proj.weight", self.intermediate, d, neurons, _HIDDEN),
                Tensor(f"{prefix}mlp.up_proj.weight", self.intermediate, d, neurons, _HIDDEN),
                Tensor(f"{prefix}mlp.down_proj.weight", d, self.intermediate, _HIDDEN, neurons),
                Tensor(f"{prefix}input_layernorm.weight", 1, d, "", _HIDDEN, vector=True),
                Tensor(f"{prefix}post_attention_layernorm.weight", 1, d, "", _HIDDEN, vector=True),
            ]
        found.append(Tensor("model.norm.weight", 1, d, "", _HIDDEN, vector=True))
        return found if self.tied else [*found, Tensor("lm_head.weight", self.vocabulary, d, "", _HIDDEN)]

    def permuted(self) -> Mapping[str, int]:
        """Return the length of every space that a disguise permutes."""
        return {_HIDDEN: self.hidden} | {f"neurons {layer}": self.intermediate for layer in range(self.layers)}

    def config(self) -> dict[str, Any]:
        """Return the model's `config.json`."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_act": "silu",
            "hidden_size": self.hidden,
            "intermediate_size": self.intermediate,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "vocab_size": self.vocabulary,
            "max_position_embeddings": 8192,
            "rms_norm_eps": 1e-05,
            "rope_theta": 500000.0,
            "tie_word_embeddings": self.tied,
            "torch_dtype": "bfloat16",
        }


def shards(tensors: Sequence[Tensor], limit: int = SHARD_BYTES) -> list[list[Tensor]]:
    """Cut tensors into files of at most `limit` bytes, each sorted by name."""
    parts: list[list[Tensor]] = [[]]
    size = 0
    for tensor in tensors:
        if parts[-1] and size + tensor.nbytes > limit:
            parts.append([])
            size = 0
        parts[-1].append(tensor)
        size += tensor.nbytes
    return [sorted(part) for part in parts]


SHAPES: Mapping[str, Shape] = {
    "135M": Shape("SmolLM2-135M-Instruct", 576, 1536, 30, 9, 3, 49152, True, 2_100_000),
    "1B": Shape("Llama 3.2 1B", 2048, 8192, 16, 32, 8, 128256, True, 9_100_000),
    "8B": Shape("Llama 3 8B", 4096, 14336, 32, 32, 8, 128256, False, 9_100_000),
    "70B": Shape("Llama 3 70B", 8192, 28672, 80, 64, 8, 128256, False, 9_100_000),
}
