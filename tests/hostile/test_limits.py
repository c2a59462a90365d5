"""Files over a cap are refused by name, and a cap is reached before the memory it would cost."""

import pytest
from onnx import TensorProto

from support.containers import (
    ARRAY,
    STRING,
    U8,
    U64,
    array,
    entry,
    gguf_bytes,
    gguf_tensor,
    pair,
    safetensors_bytes,
    text,
    write,
)
from support.onnx_models import save_onnx
from tensorguard.errors import InputError
from tensorguard.formats.gguf import read_gguf
from tensorguard.formats.opening import open_checkpoint
from tensorguard.formats.safetensors import read_safetensors
from tensorguard.sources.hub import _parsed


def test_too_many_tensors_in_safetensors(tmp_path, monkeypatch):
    monkeypatch.setattr("tensorguard.formats.safetensors.MAX_TENSORS", 2)
    source = write(tmp_path / "m", safetensors_bytes({name: entry("U8", [0], 0, 0) for name in "abc"}))
    with pytest.raises(InputError, match="declares 3 tensors, more than the 2 allowed"):
        read_safetensors(source)


def test_too_many_tensors_in_gguf(tmp_path, monkeypatch):
    monkeypatch.setattr("tensorguard.formats.gguf.MAX_TENSORS", 2)
    source = write(tmp_path / "m", gguf_bytes([], [gguf_tensor(name, (0,)) for name in "abc"]))
    with pytest.raises(InputError, match="claims 3 tensors"):
        read_gguf(source)


def test_too_many_tensors_over_all_shards(tmp_path, monkeypatch):
    monkeypatch.setattr("tensorguard.formats.sharded.MAX_TENSORS", 3)
    for number in (1, 2):
        names = (f"a{number}", f"b{number}")
        raw = safetensors_bytes({name: entry("U8", [0], 0, 0) for name in names})
        (tmp_path / f"x-{number}-of-2.safetensors").write_bytes(raw)
    with pytest.raises(InputError, match="more than the 3 tensors allowed"):
        open_checkpoint(tmp_path)


def test_too_many_shards(tmp_path):
    (tmp_path / "x-000001-of-999999.safetensors").write_bytes(safetensors_bytes({}))
    with pytest.raises(InputError, match="a model in 999999 files"):
        open_checkpoint(tmp_path)


def test_too_many_json_values(tmp_path, monkeypatch):
    monkeypatch.setattr("tensorguard.formats.json_text.MAX_JSON_VALUES", 100)
    source = write(tmp_path / "m", safetensors_bytes(b'{"t": [' + b"[]," * 200 + b"[]]}"))
    with pytest.raises(InputError, match="more than 100 JSON values"):
        read_safetensors(source)


def test_too_many_files_in_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tensorguard.formats.model_folder.MAX_FOLDER_ENTRIES", 3)
    for number in range(4):
        (tmp_path / f"{number}.txt").touch()
    with pytest.raises(InputError, match="holds 4 files"):
        open_checkpoint(tmp_path)


def test_too_many_texts_in_one_gguf_array(tmp_path, monkeypatch):
    monkeypatch.setattr("tensorguard.formats.gguf_values.MAX_METADATA_ENTRIES", 50)
    source = write(tmp_path / "m", gguf_bytes([pair("k", ARRAY, array(STRING, 51, text("") * 51))]))
    with pytest.raises(InputError, match="more elements to be read one by one than the 50 allowed"):
        read_gguf(source)


def test_too_many_texts_in_all_gguf_arrays(tmp_path, monkeypatch):
    monkeypatch.setattr("tensorguard.formats.gguf_values._MAX_WALKED", 50)
    inner = array(ARRAY, 10, array(U8, 0) * 10)
    source = write(tmp_path / "m", gguf_bytes([pair("k", ARRAY, array(ARRAY, 5, inner * 5))]))
    with pytest.raises(InputError, match="more elements"):
        read_gguf(source)


def test_too_many_numbers_in_gguf_arrays_that_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("tensorguard.formats.gguf_values._MAX_WALKED", 50)
    source = write(tmp_path / "m", gguf_bytes([pair(key, ARRAY, array(U8, 30, bytes(30))) for key in "kl"]))
    with pytest.raises(InputError, match="more elements"):
        read_gguf(source)


def test_a_gguf_header_over_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("tensorguard.formats.gguf_values.MAX_HEADER_BYTES", 1000)
    source = write(tmp_path / "m", gguf_bytes([pair("k", STRING, text("v" * 940)), pair("l", U64, bytes(8))]))
    with pytest.raises(InputError, match="larger than the 1000 bytes allowed"):
        read_gguf(source)


def test_too_many_values_in_an_answer_of_the_hub(monkeypatch):
    monkeypatch.setattr("tensorguard.sources.hub.MAX_JSON_VALUES", 100)
    with pytest.raises(InputError, match="more than 100 JSON values"):
        _parsed(b'{"siblings": [' + b"{}," * 100 + b"{}]}", "org/name")
    assert _parsed(b'{"siblings": []}', "org/name") == {"siblings": []}


def test_onnx_tensors_that_share_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr("tensorguard.formats.onnx.MAX_SHARING", 2)
    shared = [TensorProto(name=f"a{n}.w", data_type=1, dims=(500, 2), data_location=TensorProto.EXTERNAL) for n in range(9)]
    for tensor in shared:
        tensor.external_data.add(key="location", value="data")
    (tmp_path / "data").write_bytes(bytes(4000))
    save_onnx(tmp_path / "one.onnx", shared[:2])
    assert len(open_checkpoint(tmp_path / "one.onnx").tensors) == 2
    save_onnx(tmp_path / "model.onnx", shared)
    with pytest.raises(InputError, match="more sharing than is allowed"):
        open_checkpoint(tmp_path / "model.onnx")
