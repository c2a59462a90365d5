"""Head dimensions from the configuration. They are hints: each is checked against the shapes before it is used."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_NESTED = ("text_config", "llm_config", "language_config", "text_model", "decoder")
_COUNTS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
_DIMENSIONS = ("head_dim", "kv_channels", "d_kv")
_MOST = 1 << 20


class Heads:
    """What a configuration says about attention heads.

    Args:
        config: config.json, params.json or GGUF keys; anything may stand in it.
        container: `gguf` has keys of its own.
    """

    def __init__(self, config: Mapping[str, Any], container: str) -> None:
        if container == "gguf":
            name = config.get("general.architecture")
            self._counts = [config.get(f"{name}.attention.head_count")]
            self._dimensions = [config.get(f"{name}.attention.key_length")]
        else:
            levels = list(levels_of(config))
            self._counts = [level[key] for level in levels for key in _COUNTS if key in level]
            self._dimensions = [level[key] for level in levels for key in _DIMENSIONS if key in level]

    def dimension(self, rows: int, layer: int | None) -> int | None:
        """Return the head dimension of a q matrix of `rows` rows, or None where the configuration is silent or does not fit it."""
        count = next((n for value in self._counts if (n := _positive(value, layer)) is not None), None)
        dimension = next((n for value in self._dimensions if (n := _positive(value, layer)) is not None), None)
        if count is None:
            return dimension if dimension is not None and rows % dimension == 0 else None
        if rows % count:
            return None
        if dimension is not None and dimension * count != rows:
            return None
        return rows // count


def model_types(config: Mapping[str, Any]) -> frozenset[str]:
    """Return every name that a configuration gives the architecture, nested ones included."""
    named = [level.get("model_type") for level in levels_of(config)] + [config.get("general.architecture")]
    return frozenset(name for name in named if isinstance(name, str))


def levels_of(config: Mapping[str, Any], nested: Sequence[str] = _NESTED) -> Iterator[Mapping[str, Any]]:
    """Yield the language model's own part of a configuration first, which may lie under one of some keys, then the whole."""
    for key in nested:
        inner = config.get(key)
        if isinstance(inner, Mapping):
            yield inner
    yield config


def _positive(value: object, layer: int | None) -> int | None:
    """Return a plausible positive integer; a list holds one for each layer."""
    if isinstance(value, list | tuple):
        value = value[layer] if layer is not None and layer < len(value) else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value <= _MOST else None
