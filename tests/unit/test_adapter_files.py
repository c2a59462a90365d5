import pickle

import pytest

from support.containers import save_adapter, save_model
from tensorguard.errors import InputError, NotFoundError
from tensorguard.formats.adapter import is_adapter, read_adapter


def test_an_adapter_is_read(tmp_path):
    folder = save_adapter(tmp_path / "my-lora", '{"peft_type": "LORA", "r": 8, "target_modules": ["q"]}')
    for path in (folder, folder / "adapter_config.json", folder / "adapter_model.safetensors"):
        assert is_adapter(path)
        adapter = read_adapter(path)
        assert (adapter.name, adapter.location) == ("my-lora", str(folder))
        assert adapter.config == {"peft_type": "LORA", "r": 8, "target_modules": ["q"]}
        assert [info.name for info in adapter.tensors] == ["x.lora_A.weight", "x.lora_B.weight"]


def test_an_adapter_written_by_peft(tmp_path):
    import peft
    import torch

    model = peft.get_peft_model(torch.nn.Sequential(torch.nn.Linear(4, 3)), peft.LoraConfig(r=2, target_modules=["0"]))
    model.save_pretrained(tmp_path)
    adapter = read_adapter(tmp_path)
    assert adapter.config["r"] == 2
    assert {info.name: info.shape for info in adapter.tensors} == {
        "base_model.model.0.lora_A.weight": (2, 4),
        "base_model.model.0.lora_B.weight": (3, 2),
    }


def test_an_adapter_in_the_hubs_cache(tmp_path):
    repository = tmp_path / "models--org--lora"
    save_adapter(repository / "snapshots" / "abc")
    assert is_adapter(repository)
    assert read_adapter(repository).name == "org/lora"


def test_a_model_is_no_adapter(tmp_path):
    assert not is_adapter(save_model(tmp_path / "model.safetensors"))
    assert not is_adapter(tmp_path)
    assert not is_adapter(tmp_path / "nowhere")
    save_adapter(tmp_path)
    assert not is_adapter(tmp_path)
    assert not is_adapter(tmp_path / "model.safetensors")


def test_what_a_trainer_leaves_beside_an_adapter_is_no_model(tmp_path):
    save_adapter(tmp_path)
    (tmp_path / "optimizer.pt").write_bytes(b"PK\x03\x04")
    (tmp_path / "training_args.bin").write_bytes(b"PK\x03\x04")
    assert is_adapter(tmp_path)


def test_an_adapter_kept_as_a_plain_pickle_is_refused(tmp_path):
    save_adapter(tmp_path)
    (tmp_path / "adapter_model.safetensors").unlink()
    (tmp_path / "adapter_model.bin").write_bytes(pickle.dumps({"w": [1]}))
    assert is_adapter(tmp_path)
    with pytest.raises(InputError, match="a pickle, which can run code: never opened") as caught:
        read_adapter(tmp_path)
    assert caught.value.where.endswith("adapter_model.bin")


def test_an_adapter_without_weights(tmp_path):
    save_adapter(tmp_path)
    (tmp_path / "adapter_model.safetensors").unlink()
    with pytest.raises(InputError, match=r"adapter_model.safetensors is missing"):
        read_adapter(tmp_path)


@pytest.mark.parametrize("config", ["", "[]", "{", '{"r": Infinity}', '{"r": 1, "r": 2}'])
def test_a_malformed_configuration_is_an_error(tmp_path, config):
    with pytest.raises(InputError) as caught:
        read_adapter(save_adapter(tmp_path, config))
    assert caught.value.where.endswith("adapter_config.json")


def test_what_is_no_adapter(tmp_path):
    with pytest.raises(InputError, match="not an adapter"):
        read_adapter(tmp_path)
    with pytest.raises(NotFoundError):
        read_adapter(tmp_path / "nowhere")
