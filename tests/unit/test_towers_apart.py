"""Models that see: language models are compared with language models, and eyes with eyes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray

from support.checkpoints import save
from support.models import arrays
from tensorguard.api.fingerprints import fingerprint_model
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.lineage.verdict import Component, compare_lineage

TEXT: dict[str, Any] = {
    "vocab_size": 160,
    "hidden_size": 128,
    "intermediate_size": 192,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
}
EYE = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 28,
    "patch_size": 14,
}
Arrays = dict[str, NDArray[Any]]


def drawn(config: Any, kind: str, seed: int) -> Arrays:
    model = getattr(transformers, f"AutoModelFor{kind}").from_config(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, each in model.named_parameters():
            each.copy_(torch.randn(each.shape, generator=generator) * 0.02 + (each.dim() == 1 and "norm" in name))
    return arrays(model)


def seeing(seed: int, eye: Arrays | None = None, language: Arrays | None = None) -> Arrays:
    config = transformers.AutoConfig.for_model(
        "llava", text_config={**TEXT, "model_type": "llama"}, vision_config={**EYE, "model_type": "clip_vision_model"}
    )
    made = drawn(config, "ImageTextToText", seed)
    for name in made:
        if eye and "vision" in name:
            made[name] = eye[name]
        if language and (plain := name.replace("language_model.", "")) in language:
            made[name] = language[plain]
    return made


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Fingerprint]:
    plain = drawn(transformers.AutoConfig.for_model("llama", **TEXT), "CausalLM", 1)
    noise = np.random.default_rng(0)
    tuned = {name: (each + 0.006 * noise.standard_normal(each.shape)).astype(np.float32) for name, each in plain.items()}
    first = seeing(2, language=tuned)
    named = {"language": plain, "sees": first, "same eye": seeing(3, eye=first), "stranger": seeing(4)}
    folder: Path = tmp_path_factory.mktemp("models")
    for name, held in named.items():
        save(folder / name, held)
    return {name: fingerprint_model(folder / name, workers=1) for name in named}


def by_name(components: tuple[Component, ...]) -> dict[str, str]:
    return {each.name: each.status for each in components}


def test_the_language_model_inside_is_found(models: dict[str, Fingerprint]) -> None:
    found = compare_lineage(models["sees"], models["language"])
    assert found.verdict == "derived"
    assert by_name(found.components) == dict.fromkeys(("embeddings", "attention", "mlp", "head"), "linked")


def test_the_same_eye_makes_no_kin_of_language_models(models: dict[str, Fingerprint]) -> None:
    found = compare_lineage(models["sees"], models["same eye"])
    assert found.verdict == "shares-components"
    status = by_name(found.components)
    assert status["towers"] in ("same", "linked")
    assert "linked" not in (status["attention"], status["mlp"], status["head"])
    assert found.identity is not None
    assert {each.role for each in found.identity.roles if each.equal} == {
        f"vision {r}" for r in ("q", "k", "v", "o", "fc_in", "fc_out")
    }


def test_strangers_stay_strangers(models: dict[str, Fingerprint]) -> None:
    found = compare_lineage(models["stranger"], models["sees"])
    assert found.verdict in ("independent", "inconclusive")
    assert "linked" not in by_name(found.components).values()
