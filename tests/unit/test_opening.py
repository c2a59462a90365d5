import os
import pickle

import pytest

from support.containers import (
    STRING,
    gguf_bytes,
    gguf_tensor,
    pair,
    save_adapter,
    save_index,
    save_model,
    save_sharded,
    text,
    weight_map_of,
)
from tensorguard.errors import InputError, NotFoundError
from tensorguard.formats.opening import open_checkpoint

GGUF = gguf_bytes([pair("general.architecture", STRING, text("llama"))], [gguf_tensor()], 128)


def cached(root, revisions=("abc",), main="abc"):
    """The hub's cache: blobs, and snapshots that are links to them."""
    repository = root / "models--org--some-model"
    blob = save_model(repository / "blobs" / "0123")
    (repository / "blobs" / "4567").write_text('{"model_type": "llama"}')
    for revision in revisions:
        snapshot = repository / "snapshots" / revision
        snapshot.mkdir(parents=True)
        (snapshot / "model.safetensors").symlink_to(os.path.relpath(blob, snapshot))
        (snapshot / "config.json").symlink_to("../../blobs/4567")
    if main:
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(main)
    return repository


def test_a_file(tmp_path):
    checkpoint = open_checkpoint(save_model(tmp_path / "tiny.safetensors", ["b", "a"], format="pt"))
    assert (checkpoint.name, checkpoint.container, checkpoint.metadata) == ("tiny", "safetensors", {"format": "pt"})
    assert checkpoint.location == str(tmp_path / "tiny.safetensors")
    assert {info.shape for info in checkpoint.tensors} == {(2, 3)}


def test_a_file_with_the_usual_name_is_called_after_its_folder(tmp_path):
    assert open_checkpoint(save_model(tmp_path / "my-model" / "model.safetensors")).name == "my-model"


def test_a_folder_with_a_configuration(tmp_path):
    save_model(tmp_path / "org-tiny" / "model.safetensors")
    (tmp_path / "org-tiny" / "config.json").write_text('{"hidden_size": 3}')
    checkpoint = open_checkpoint(tmp_path / "org-tiny")
    assert (checkpoint.name, checkpoint.config, checkpoint.notices) == ("org-tiny", {"hidden_size": 3}, ())


def test_meta_names_its_configuration_otherwise(tmp_path):
    save_model(tmp_path / "consolidated.safetensors")
    (tmp_path / "params.json").write_text('{"dim": 3}')
    assert open_checkpoint(tmp_path).config == {"dim": 3}


@pytest.mark.parametrize("content", ["{", "[1]", '{"a": NaN}', "\xff", '{"a": 1, "a": 2}', "[" * 5000])
def test_a_malformed_configuration_is_a_notice(tmp_path, content):
    save_model(tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(content, encoding="latin-1")
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.config == {}
    (notice,) = checkpoint.notices
    assert notice.startswith("config.json is ignored: the file ")


def test_a_configuration_over_the_limit_is_a_notice(tmp_path, monkeypatch):
    monkeypatch.setattr("tensorguard.formats.opening.MAX_CONFIG_BYTES", 10)
    save_model(tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"hidden_size": 3}')
    assert "more than the 10 allowed" in open_checkpoint(tmp_path).notices[0]


def test_gguf_brings_its_own_configuration(tmp_path):
    (tmp_path / "tiny.Q4_0.gguf").write_bytes(GGUF)
    (tmp_path / "config.json").write_text('{"hidden_size": 3}')
    checkpoint = open_checkpoint(tmp_path / "tiny.Q4_0.gguf")
    assert (checkpoint.name, checkpoint.container) == ("tiny.Q4_0", "gguf")
    assert checkpoint.config == {"general.architecture": "llama"}


def test_gguf_in_shards_is_one_checkpoint(tmp_path):
    (tmp_path / "big-00001-of-00002.gguf").write_bytes(GGUF)
    (tmp_path / "big-00002-of-00002.gguf").write_bytes(gguf_bytes([], [gguf_tensor("u")], 128))
    for path in (tmp_path, tmp_path / "big-00002-of-00002.gguf"):
        checkpoint = open_checkpoint(path)
        assert [info.name for info in checkpoint.tensors] == ["t", "u"]
        assert checkpoint.config == {"general.architecture": "llama"}
    assert checkpoint.name == "big"


def test_content_decides_and_not_the_extension(tmp_path):
    (tmp_path / "model.bin").write_bytes(save_model(tmp_path / "x").read_bytes())
    (tmp_path / "x").unlink()
    assert open_checkpoint(tmp_path).container == "safetensors"
    (tmp_path / "model.bin").write_bytes(GGUF)
    assert open_checkpoint(tmp_path / "model.bin").container == "gguf"


def test_several_models_need_a_choice(tmp_path):
    (tmp_path / "m.Q4_0.gguf").write_bytes(GGUF)
    (tmp_path / "m.Q8_0.gguf").write_bytes(GGUF)
    with pytest.raises(InputError, match=r"2 models in one folder: 'm.Q4_0.gguf', 'm.Q8_0.gguf'") as caught:
        open_checkpoint(tmp_path)
    assert "one of these files" in caught.value.hint


def test_the_usual_name_is_preferred_and_said(tmp_path):
    save_model(tmp_path / "model.safetensors", ["right"])
    save_model(tmp_path / "model.fp16.safetensors", ["wrong"])
    checkpoint = open_checkpoint(tmp_path)
    assert [info.name for info in checkpoint.tensors] == ["right"]
    assert "'model.safetensors' was opened" in checkpoint.notices[0]


def test_half_written_and_hidden_files_are_no_models(tmp_path):
    save_model(tmp_path / "model.safetensors")
    save_model(tmp_path / ".model.safetensors.0a1b.part")
    save_model(tmp_path / "._model.safetensors")
    assert open_checkpoint(tmp_path).notices == ()


@pytest.mark.parametrize(
    ("revisions", "main"), [(("abc",), "abc\n"), (("abc",), None), (("abc", "def"), "abc"), (("abc",), "gone")]
)
def test_a_repository_of_the_hubs_cache(tmp_path, revisions, main):
    repository = cached(tmp_path, revisions, main)
    for path in (repository, repository / "snapshots" / "abc"):
        checkpoint = open_checkpoint(path)
        assert (checkpoint.name, checkpoint.config) == ("org/some-model", {"model_type": "llama"})
        assert len(checkpoint.tensors) == 2


def test_a_sharded_repository_of_the_hubs_cache(tmp_path):
    repository = tmp_path / "models--org--big"
    snapshot = repository / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    shards = save_sharded(repository / "blobs")
    for shard in shards:
        (snapshot / shard.name).symlink_to(f"../../blobs/{shard.name}")
    save_index(snapshot, weight_map_of(shards))
    assert len(open_checkpoint(repository).tensors) == 6


def test_a_cache_with_several_snapshots_and_no_main(tmp_path):
    with pytest.raises(InputError, match=r"2 snapshots and no main: 'abc', 'def'"):
        open_checkpoint(cached(tmp_path, ("abc", "def"), None))


def test_a_cache_without_snapshots(tmp_path):
    (tmp_path / "models--a--b" / "snapshots").mkdir(parents=True)
    with pytest.raises(InputError, match="holds no snapshot"):
        open_checkpoint(tmp_path / "models--a--b")


def test_a_cache_whose_blob_is_missing(tmp_path):
    repository = cached(tmp_path)
    (repository / "blobs" / "0123").unlink()
    with pytest.raises(InputError, match="a link to a file that is not there") as caught:
        open_checkpoint(repository)
    assert caught.value.where.endswith("model.safetensors")


def test_what_is_not_there(tmp_path):
    with pytest.raises(NotFoundError):
        open_checkpoint(tmp_path / "nowhere")


def test_an_empty_folder(tmp_path):
    with pytest.raises(InputError, match="an empty folder"):
        open_checkpoint(tmp_path)


def test_a_folder_without_a_model_names_the_folders_inside(tmp_path):
    save_model(tmp_path / "inner" / "model.safetensors")
    (tmp_path / "README.md").write_text("hello")
    with pytest.raises(InputError, match="no model file") as caught:
        open_checkpoint(tmp_path)
    assert "'inner'" in caught.value.hint


def test_a_file_without_tensors(tmp_path):
    with pytest.raises(InputError, match="holds no tensors"):
        open_checkpoint(save_model(tmp_path / "m.safetensors", []))


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "model.pt", "consolidated.00.pth", "m.ckpt", "m.pkl", "model.safetensors"]
)
def test_plain_pickles_are_never_opened(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps({"w": [1]}))
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(InputError, match="a pickle, which can run code: never opened") as caught:
            open_checkpoint(path)
        assert "safetensors" in caught.value.hint
        assert caught.value.where.endswith(name)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.onnx", b"\x08\x07\x12\x07pytorch", "no ONNX model"),
        ("weights.npz", b"PK\x03\x04" + bytes(60), "a ZIP archive, but not as torch.save writes one"),
        ("tf_model.h5", b"\x89HDF\r\n\x1a\n", "HDF5 file: not supported yet"),
        ("flax_model.msgpack", b"\x82", "Flax file: not supported yet"),
        ("model.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
        ("model.gguf", b"<!DOCTYPE html><html>", "a web page"),
        ("model.bin", b"tjgg\x03\x00\x00\x00", "from before GGUF"),
        ("notes.txt", b"hello", "not a model file of a known kind"),
    ],
)
def test_other_kinds_are_refused_by_name(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        open_checkpoint(tmp_path / name)
    assert caught.value.hint


@pytest.mark.parametrize("length", [0x0280, 0x0480])
def test_a_damaged_header_is_not_taken_for_a_pickle(tmp_path, length):
    (tmp_path / "model.safetensors").write_bytes(length.to_bytes(8, "little") + bytes(2000))
    with pytest.raises(InputError, match="the header is not JSON"):
        open_checkpoint(tmp_path)


def test_a_pipe_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="not a regular file"):
        open_checkpoint(tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="an empty folder"):
        open_checkpoint(tmp_path)


def test_an_adapter_is_no_model_by_itself(tmp_path):
    folder = save_adapter(tmp_path / "lora")
    for path in (folder, folder / "adapter_model.safetensors"):
        with pytest.raises(InputError, match="an adapter, not a model by itself") as caught:
            open_checkpoint(path)
        assert "--base" in caught.value.hint


def test_a_model_with_an_adapter_beside_it_is_a_model(tmp_path):
    save_adapter(tmp_path)
    save_model(tmp_path / "model.safetensors", ["w"])
    checkpoint = open_checkpoint(tmp_path)
    assert [info.name for info in checkpoint.tensors] == ["w"]
    assert checkpoint.notices == ("An adapter lies beside the model; it was left aside.",)
