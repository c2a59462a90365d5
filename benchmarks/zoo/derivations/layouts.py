"""Where each architecture keeps its parts: tensor names as data.

A part's name is the same in every architecture: `q k v o`, `gate up down`, `router`, and the norms. `attention_norm` and
`mlp_norm` come before the block, `attention_output_norm` and `mlp_output_norm` after it, `q_norm` and `k_norm` between
projection and rotary embedding. `a+b` is one tensor whose rows are those of a, then those of b.
"""

from dataclasses import dataclass, field

_ATTENTION = {name: f"self_attn.{name}_proj" for name in "qkvo"}
_MLP = {name: f"mlp.{name}_proj" for name in ("gate", "up", "down")}
_TOP = {"embed": "model.embed_tokens", "head": "lm_head", "final_norm": "model.norm"}
_PRE_NORMS = {"attention_norm": "input_layernorm", "mlp_norm": "post_attention_layernorm"}
_KEYS = {
    "hidden": "hidden_size",
    "heads": "num_attention_heads",
    "groups": "num_key_value_heads",
    "layers": "num_hidden_layers",
    "intermediate": "intermediate_size",
}


@dataclass(frozen=True)
class Layout:
    """Names of one architecture.

    Attributes:
        parts: Part of a layer -> module inside the layer.
        mlp: Part of an MLP -> module inside the layer, or inside the expert.
        top: Part outside the layers -> module.
        prefix: What comes before the number of a layer.
        expert: What comes before an expert's modules, `{}` for its number; empty where there is one MLP.
        keys: Size -> key of config.json.
        transposed: Matrices are stored inputs x outputs (Conv1D).
        gain_offset: What a stored norm gain is short of.
        layer_norm: Norms subtract the mean.
        rotary: Positions enter as rotations of q and k.
    """

    parts: dict[str, str]
    mlp: dict[str, str] = field(default_factory=lambda: _MLP)
    top: dict[str, str] = field(default_factory=lambda: _TOP)
    prefix: str = "model.layers."
    expert: str = ""
    keys: dict[str, str] = field(default_factory=lambda: _KEYS)
    transposed: bool = False
    gain_offset: float = 0.0
    layer_norm: bool = False
    rotary: bool = True


_LLAMA = Layout(_ATTENTION | _PRE_NORMS)

MIXTRAL = Layout(
    _ATTENTION | _PRE_NORMS | {"router": "block_sparse_moe.gate"},
    mlp={"gate": "w1", "up": "w3", "down": "w2"},
    expert="block_sparse_moe.experts.{}.",
)

LAYOUTS = {
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "gemma": Layout(_ATTENTION | _PRE_NORMS, gain_offset=1.0),
    "gemma2": Layout(
        _ATTENTION
        | {
            "attention_norm": "input_layernorm",
            "attention_output_norm": "post_attention_layernorm",
            "mlp_norm": "pre_feedforward_layernorm",
            "mlp_output_norm": "post_feedforward_layernorm",
        },
        gain_offset=1.0,
    ),
    "olmo2": Layout(
        _ATTENTION
        | {
            "q_norm": "self_attn.q_norm",
            "k_norm": "self_attn.k_norm",
            "attention_output_norm": "post_attention_layernorm",
            "mlp_output_norm": "post_feedforward_layernorm",
        },
    ),
    "phi3": Layout(
        {"q+k+v": "self_attn.qkv_proj", "o": "self_attn.o_proj"} | _PRE_NORMS,
        mlp={"gate+up": "mlp.gate_up_proj", "down": "mlp.down_proj"},
    ),
    "mixtral": MIXTRAL,
    "gpt2": Layout(
        {"q+k+v": "attn.c_attn", "o": "attn.c_proj", "attention_norm": "ln_1", "mlp_norm": "ln_2"},
        mlp={"up": "mlp.c_fc", "down": "mlp.c_proj"},
        top={"embed": "transformer.wte", "positions": "transformer.wpe", "head": "lm_head", "final_norm": "transformer.ln_f"},
        prefix="transformer.h.",
        keys={"hidden": "n_embd", "heads": "n_head", "layers": "n_layer", "intermediate": "n_inner"},
        transposed=True,
        layer_norm=True,
        rotary=False,
    ),
}
