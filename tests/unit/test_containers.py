"""The benchmark of containers, with those whose libraries every installation for development has."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from benchmarks.containers import floats, gguf_file
from benchmarks.containers.base import Original, original
from benchmarks.containers.judging import Outcome, fingerprint, judge, make, place_of
from support import kin
from tensorguard.fingerprint.base import Fingerprint

CONTAINERS = {each.name: each for module in (floats, gguf_file) for each in module.containers()}
CONFIG = {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 6, "num_attention_heads": 4, "num_key_value_heads": 2}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Original, Fingerprint]:
    folder = tmp_path_factory.mktemp("models") / "base"
    folder.mkdir()
    save_file({name: value.astype(np.float32) for name, value in kin.model(7).items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return original(folder), fingerprint(folder)


@pytest.mark.parametrize(
    ("name", "verdict", "direction"),
    [
        ("torch.save, trainer's checkpoint", "same-weights", "neither"),
        ("GGUF F32, split", "same-weights", "neither"),
        ("safetensors F16", "derived: cast", "container"),
        ("GGUF Q8_0", "derived: quantised", "container"),
        ("GGUF Q4_0", "derived: quantised", "container"),
    ],
)
def test_a_model_in_a_container(
    name: str, verdict: str, direction: str, model: tuple[Original, Fingerprint], tmp_path: Path
) -> None:
    place = place_of(tmp_path, "base", name)
    make(model[0], CONTAINERS[name], place)
    found = judge(place, model[1], None)
    assert isinstance(found, Outcome)
    assert (found.original, found.direction) == (verdict, direction)
    assert found.lossless == (verdict == "same-weights")
    assert (found.decoded, found.equal) == ("same-weights", found.matrices)
    assert found.matrices == 44
    assert found.faults() == []
    assert [each.name for each in place.parent.iterdir()] == [place.name], "the files are taken away"


def test_what_does_not_fit_is_said(model: tuple[Original, Fingerprint], tmp_path: Path) -> None:
    odd = {name: value[:, :48] if "gate_proj" in name else value for name, value in model[0].tensors.items()}
    odd["model.layers.0.mlp.extra.weight"] = odd["model.norm.weight"]
    make(replace(model[0], tensors=odd), CONTAINERS["GGUF F32"], tmp_path / "it")
    assert judge(tmp_path / "it", model[1], None) == "the gguf package has no name for model.layers.0.mlp.extra.weight"


def test_faults_are_found() -> None:
    right = Outcome(False, "derived: quantised", "container", "same-weights", "derived: cast", "independent", 9, 9)
    assert right.faults() == []
    wrong = {
        "original": "derived: fine-tuned", "direction": "original", "decoded": "derived: cast", "halves": "derived: quantised",
        "stranger": "related",
    }  # fmt: skip
    for name, value in wrong.items():
        assert len(replace(right, **{name: value}).faults()) == 1, name
    assert len(replace(right, lossless=True).faults()) == 1
