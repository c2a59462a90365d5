"""Models that see or hear: the language model is the decoder, whatever else the checkpoint holds."""

from collections import Counter
from typing import Any

import pytest

from support.models import arrays, matrix, stored, tiny, view_of
from tensorguard.tensors.selection import select
from tensorguard.tensors.view import canonical_view

TEXT = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
EYE = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
QWEN_EYE = {"depth": 2, "embed_dim": 16, "hidden_size": 32, "num_heads": 2}
MODELS: list[tuple[str, str, dict[str, Any]]] = [
    (
        "gemma3",
        "gemma3",
        {"text_config": {**TEXT, "head_dim": 8}, "vision_config": {**EYE, "model_type": "siglip_vision_model"}},
    ),
    (
        "llava",
        "llama",
        {"text_config": {**TEXT, "model_type": "llama"}, "vision_config": {**EYE, "model_type": "clip_vision_model"}},
    ),
    ("qwen2_vl", "qwen2", {"text_config": TEXT, "vision_config": QWEN_EYE}),
]


@pytest.mark.parametrize(("model_type", "table", "settings"), MODELS, ids=[model[0] for model in MODELS])
def test_language_model_is_told_from_the_eye(model_type: str, table: str, settings: dict[str, Any]) -> None:
    model = tiny(model_type, "ImageTextToText", **settings)
    view = view_of(model)
    assert view.architecture == table
    assert view.parameters == sum(parameter.numel() for parameter in model.parameters())
    blocks = Counter(w.role for w in view.weights if w.stack == "decoder" and w.layer is not None)
    assert blocks == dict.fromkeys(("q", "k", "v", "o", "gate", "up", "down"), 2)
    assert {w.stack for w in view.weights} == {"decoder", "vision", *(["projector"] if model_type != "qwen2_vl" else [])}
    assert {w.stack for w in select(view.weights, None)} == {"decoder"}
    assert any("patch" in name and "dimensional" in reason for name, reason in view.excluded)

    alone = {
        name: array
        for name, array in arrays(model).items()
        if "vision" not in name and "visual" not in name and "projector" not in name
    }
    text = canonical_view(stored(alone), settings, "safetensors")
    assert [(w.role, matrix(w).tobytes()) for w in text.weights] == [
        (w.role, matrix(w).tobytes()) for w in view.weights if w.stack == "decoder"
    ]


def test_cross_attention_to_the_eye() -> None:
    eye = {**EYE, "num_global_layers": 1, "attention_heads": 2}
    eye.pop("num_attention_heads")
    text = {**TEXT, "cross_attention_layers": [1], "pad_token_id": 0}
    view = view_of(tiny("mllama", "ImageTextToText", text_config=text, vision_config=eye))
    assert view.architecture == "mllama"
    assert [(w.role, w.layer) for w in view.weights if w.stack == "cross"] == [("q", 1), ("k", 1), ("v", 1), ("o", 1)]
    assert not [name for name in view.unknown if "vision_model" not in name]


def test_whisper() -> None:
    sizes = {
        f"{side}_{what}": n
        for side in ("encoder", "decoder")
        for what, n in (("layers", 2), ("attention_heads", 4), ("ffn_dim", 48))
    }
    model = tiny("whisper", "SpeechSeq2Seq", d_model=32, **sizes)
    view = view_of(model)
    assert view.unknown == ()
    assert {w.stack for w in view.weights} == {"encoder", "decoder", "cross"}
    assert view.parameters == sum(parameter.numel() for parameter in model.parameters())
