"""The derivatives of the demonstration are what PEFT, transformers and the safetensors library take them for."""

import json

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from benchmarks.checkpoint import read
from support.real import real_model

BASE = "smollm2-135m-instruct-bf16"


def test_peft_merges_the_adapter_and_it_moves_q_and_v_by_three_percent():
    base = AutoModelForCausalLM.from_pretrained(real_model(BASE), dtype=torch.float32)
    before = {name: value.clone() for name, value in base.state_dict().items()}
    adapted = PeftModel.from_pretrained(base, real_model("smollm2-135m-instruct-lora"))
    after = adapted.merge_and_unload().state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {f"model.layers.{layer}.self_attn.{letter}_proj.weight" for layer in range(30) for letter in "qv"}
    for name in moved:
        update = after[name] - before[name]
        assert abs(float(update.norm() / before[name].norm()) - 0.03) < 1e-4
    value = "model.layers.7.self_attn.v_proj.weight"
    assert int(torch.linalg.matrix_rank((after[value] - before[value]).double(), rtol=1e-4)) == 16


def test_the_adapter_names_its_base_folder():
    config = json.loads((real_model("smollm2-135m-instruct-lora") / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == real_model(BASE).name


def test_shards_hold_the_same_tensors_and_agree_with_their_index():
    folder = real_model("smollm2-135m-instruct-sharded")
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    expected = load_file(real_model(BASE) / "model.safetensors")
    assert index["weight_map"].keys() == expected.keys()
    assert index["metadata"]["total_size"] == sum(tensor.nbytes for tensor in expected.values())
    files = sorted(folder.glob("*.safetensors"))
    assert [file.name for file in files] == [f"model-0000{n}-of-00003.safetensors" for n in (1, 2, 3)]
    assert max(file.stat().st_size for file in files) < 1.1 * min(file.stat().st_size for file in files)
    for file in files:
        for name, tensor in load_file(file).items():
            assert index["weight_map"][name] == file.name
            assert torch.equal(tensor, expected[name])


def test_the_renamed_copy_holds_the_same_tensors_in_another_order():
    original, copy = (real_model(name) / "model.safetensors" for name in (BASE, "smollm2-135m-instruct-renamed"))
    names = [item.name for item in read(copy)]
    assert [name.removeprefix("module.") for name in names] != [item.name for item in read(original)]
    one, other = load_file(original), load_file(copy)
    assert set(names) == {f"module.{name}" for name in one} == other.keys()
    assert all(torch.equal(one[name], other[f"module.{name}"]) for name in one)
