"""The head dimension of real architectures, from the weights where they show it and from the configuration where they do not."""

from typing import Any

import pytest

from support.models import arrays, stored, tiny, view_of
from tensorguard.tensors.grouping import HeadDimensions
from tensorguard.tensors.view import canonical_view


@pytest.mark.parametrize(
    ("model_type", "settings", "config", "expected"),
    [
        ("qwen3", {"head_dim": 16}, False, 16),
        ("llama", {}, True, 8),
        ("llama", {}, False, None),
        ("gemma3_text", {"head_dim": 4}, False, 4),
        ("olmo2", {}, False, None),
        ("olmo2", {}, True, 8),
        ("cohere", {"use_qk_norm": True}, False, 8),
    ],
)
def test_head_dimensions(model_type: str, settings: dict[str, Any], config: bool, expected: int | None) -> None:
    model = tiny(model_type, **settings)
    view = canonical_view(stored(arrays(model)), model.config.to_dict() if config else {}, "safetensors")
    rows = {w.role: w.shape[0] for w in view.weights if w.layer == 1}
    heads = HeadDimensions(view, model.config.to_dict() if config else {}, "safetensors")
    assert heads.head_dimension(1, rows["q"], rows["k"]) == expected


def test_a_configuration_that_does_not_fit_gives_no_head_dimension() -> None:
    view = view_of(tiny("llama"))
    assert HeadDimensions(view, {"num_attention_heads": 5}, "safetensors").head_dimension(0, 32, 16) is None
    assert HeadDimensions(view, {"num_attention_heads": 4, "head_dim": 8}, "safetensors").head_dimension(0, 32, 12) is None
