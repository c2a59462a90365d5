"""What a model's own configuration says of it: shown beside what its tensors say, and never evidence."""

from collections.abc import Mapping
from typing import Any

from tensorguard.errors import utf8
from tensorguard.tensors.heads import levels_of

_LONGEST = 200
_NESTED = ("text_config", "llm_config", "language_config", "text_model", "thinker_config")
_SAID: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("class", ("architectures",)),
    ("model type", ("model_type",)),
    ("name", ("_name_or_path",)),
    ("context length", ("max_position_embeddings", "n_positions", "max_seq_len", "model_max_length")),
    ("attention heads", ("num_attention_heads", "n_head", "n_heads", "num_heads")),
    ("key-value heads", ("num_key_value_heads", "n_kv_heads", "multi_query_group_num")),
    ("experts per token", ("num_experts_per_tok", "num_experts_per_token", "moe_topk", "moe_top_k", "top_k_experts")),
    ("dtype", ("dtype", "torch_dtype")),
)
_SAID_BY_GGUF: tuple[tuple[str, str], ...] = (
    ("architecture", "general.architecture"),
    ("name", "general.name"),
    ("base name", "general.basename"),
    ("finetune", "general.finetune"),
    ("size label", "general.size_label"),
    ("quantized by", "general.quantized_by"),
    ("context length", "{}.context_length"),
    ("attention heads", "{}.attention.head_count"),
    ("key-value heads", "{}.attention.head_count_kv"),
    ("experts per token", "{}.expert_used_count"),
)


def claims(config: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return (what, value) in words, of what a reader asks first.

    Args:
        config: `config.json`, `params.json`, or GGUF keys; untrusted.
    """
    found: dict[str, str] = {}
    architecture = config.get("general.architecture")
    if isinstance(architecture, str):
        for what, key in _SAID_BY_GGUF:
            if value := _word(config.get(key.format(architecture))):
                found[what] = value
        return tuple(found.items())
    levels = list(levels_of(config, _NESTED))
    for what, keys in _SAID:
        order = levels[::-1] if what in ("class", "model type", "name") else levels
        if value := next((word for level in order for key in keys if (word := _word(level.get(key)))), ""):
            found[what] = value
    for level in levels:
        settings = level.get("quantization_config") or level.get("quantization") or level.get("compression_config")
        if isinstance(settings, Mapping) and "quantisation" not in found:
            words = [_word(settings.get(key)) for key in ("quant_method", "format", "bits", "mode")]
            if value := " ".join(word for word in words if word):
                found["quantisation"] = value
    return tuple(found.items())


def experts_used(said: tuple[tuple[str, str], ...]) -> int | None:
    """Return how many experts each token goes through, by what was said; None where nothing says it."""
    value = dict(said).get("experts per token", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else None


def _word(value: object) -> str:
    """Return a number, a text, or a few of them as one text; empty for anything else."""
    if isinstance(value, list | tuple) and value:
        different = list(dict.fromkeys(word for each in value[:10_000] if (word := _word_of_one(each))))
        return ", ".join(different[:8])[:_LONGEST]
    return _word_of_one(value)


def _word_of_one(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return utf8(str(value) if not isinstance(value, int) or abs(value) < 10**18 else "")[:_LONGEST]
