"""Synthetic checkpoints: the size asked for, the same bytes for a seed, and a model that transformers loads."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from benchmarks import synthetic
from benchmarks.checkpoint import Entry, new_folder, write


def test_a_seed_decides_the_bytes_and_shards_change_no_tensor(tmp_path):
    one = synthetic.make(tmp_path / "one", size=0.02, seed=5) / "model.safetensors"
    again = synthetic.make(tmp_path / "again", size=0.02, seed=5) / "model.safetensors"
    other = synthetic.make(tmp_path / "other", size=0.02, seed=6) / "model.safetensors"
    sharded = synthetic.make(tmp_path / "sharded", size=0.02, seed=5, shards=3)
    assert one.read_bytes() == again.read_bytes() != other.read_bytes()
    parts = {name: tensor for file in sharded.glob("*.safetensors") for name, tensor in load_file(file).items()}
    whole = load_file(one)
    assert len(list(sharded.glob("*.safetensors"))) == 3
    assert (
        parts.keys() == whole.keys() == json.loads((sharded / "model.safetensors.index.json").read_text())["weight_map"].keys()
    )
    assert all(torch.equal(parts[name], whole[name]) for name in whole)


def test_values_are_finite_and_rows_differ_in_scale(tmp_path):
    tensors = load_file(synthetic.make(tmp_path / "model", size=0.02) / "model.safetensors")
    assert all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values())
    norms = tensors["model.layers.0.mlp.up_proj.weight"].float().norm(dim=1)
    assert float(norms.max() / norms.min()) > 3


def test_transformers_loads_every_tensor(tmp_path):
    model, report = AutoModelForCausalLM.from_pretrained(
        synthetic.make(tmp_path / "model", size=0.02), output_loading_info=True
    )
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert model.config.num_hidden_layers == synthetic.plan(0.02)[1]["num_hidden_layers"]


@pytest.mark.parametrize("size", [0.02, 0.5, 2, 16])
def test_the_planned_size_is_the_size_asked_for(size):
    shapes, _ = synthetic.plan(size)
    assert 2 * sum(int(np.prod(shape)) for shape in shapes.values()) == pytest.approx(size * 1e9, rel=0.08)


def test_a_tensor_of_the_wrong_size_is_refused_and_leaves_no_folder(tmp_path):
    short = Entry("a", "F32", (3,), lambda: [np.zeros(2, np.float32)])
    with pytest.raises(ValueError, match="8 bytes were made for a tensor of 12"), new_folder(tmp_path / "model") as partial:
        write(partial / "model.safetensors", [short])
    assert list(tmp_path.iterdir()) == []
