import os
import stat

import ml_dtypes
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_torch

from tensorguard.errors import InputError, ResourceError
from tensorguard.formats.safetensors import read_safetensors
from tensorguard.formats.writer import TensorHeader, write_safetensors
from tensorguard.sources.local import LocalFile

HEADERS = [TensorHeader("b", "F32", (4, 3)), TensorHeader("a", "F32", (2,))]
B, A = np.arange(12, dtype=np.float32).reshape(4, 3), np.array([5, 6], np.float32)


def test_the_reference_reads_what_is_written(tmp_path):
    write_safetensors(tmp_path / "m.safetensors", HEADERS, [[B[:1], B[1:].tobytes()], [A]], {"format": "pt", "é": "ß"})
    loaded = load_file(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded["b"], B)
    np.testing.assert_array_equal(loaded["a"], A)
    with safe_open(tmp_path / "m.safetensors", "np") as reference:
        assert reference.metadata() == {"format": "pt", "é": "ß"}


def test_the_order_given_is_the_order_read(tmp_path):
    write_safetensors(tmp_path / "m", HEADERS, iter([[B], [A]]))
    infos = read_safetensors(LocalFile(tmp_path / "m")).tensors
    assert [info.name for info in infos] == ["b", "a"]
    assert infos[0].offset < infos[1].offset


def test_mixed_dtypes_are_aligned_for_readers_that_map_the_file(tmp_path):
    headers = [
        TensorHeader("mask", "U8", (3,)),
        TensorHeader("half", "BF16", (5,)),
        TensorHeader("none", "F16", (0, 4)),
        TensorHeader("scalar", "F64", ()),
    ]
    half = np.arange(5).astype(ml_dtypes.bfloat16)
    blocks = [[np.arange(3, dtype=np.uint8)], [half], [], [np.float64(2.5).tobytes()]]
    write_safetensors(tmp_path / "m.safetensors", headers, blocks)
    loaded = load_torch(tmp_path / "m.safetensors")
    assert loaded["half"].tolist() == [0, 1, 2, 3, 4]
    assert loaded["scalar"].item() == 2.5
    assert loaded["none"].shape == (0, 4)
    infos = read_safetensors(LocalFile(tmp_path / "m.safetensors")).tensors
    assert [info.name for info in infos] == ["mask", "half", "none", "scalar"]
    assert all(info.offset % {"U8": 1, "BF16": 2, "F16": 2, "F64": 8}[info.dtype] == 0 for info in infos)


def test_an_array_that_is_no_c_order_block_is_written_as_it_reads(tmp_path):
    write_safetensors(tmp_path / "m", HEADERS[:1], [[np.asfortranarray(B)[:2], B[::-1][:2]]])
    np.testing.assert_array_equal(load_file(tmp_path / "m")["b"], B[[0, 1, 3, 2]])


def test_the_same_input_gives_the_same_bytes(tmp_path):
    for name in "xy":
        write_safetensors(tmp_path / name, HEADERS, [[B], [A]], {"format": "pt"})
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()
    assert int.from_bytes((tmp_path / "x").read_bytes()[:8], "little") % 8 == 0


def test_an_existing_file_is_replaced_and_modes_are_the_usual_ones(tmp_path):
    (tmp_path / "m").write_text("old")
    mask = os.umask(0o027)
    try:
        write_safetensors(tmp_path / "m", HEADERS, [[B], [A]])
    finally:
        os.umask(mask)
    assert (tmp_path / "m").read_bytes() != b"old"
    assert stat.S_IMODE((tmp_path / "m").stat().st_mode) == 0o640


def fail_with(error):
    yield B[:1].tobytes()
    raise error


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), InputError("x"), MemoryError(), GeneratorExit()])
def test_nothing_is_left_when_it_fails(tmp_path, error):
    (tmp_path / "m").write_text("old")
    with pytest.raises(type(error)):
        write_safetensors(tmp_path / "m", HEADERS, [fail_with(error), [A]])
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    assert (tmp_path / "m").read_text() == "old"


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([[B[:3]], [A]], "'b': got 36 of the 48 bytes"),
        ([[B, B[:1]], [A]], "'b': got more than the 48 bytes"),
        ([[B], []], "'a': got 0 of the 8 bytes"),
    ],
)
def test_the_bytes_of_each_tensor_are_counted(tmp_path, blocks, message):
    with pytest.raises(InputError, match=message):
        write_safetensors(tmp_path / "m", HEADERS, blocks)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("blocks", [[[B]], [[B], [A], [A]]])
def test_as_many_blocks_as_tensors(tmp_path, blocks):
    with pytest.raises(ValueError, match="zip"):
        write_safetensors(tmp_path / "m", HEADERS, blocks)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ([TensorHeader("a", "F32", (0,)), TensorHeader("a", "F16", (0,))], "two tensors would be called 'a'"),
        ([TensorHeader("__metadata__", "F32", (0,))], "__metadata__"),
        ([TensorHeader("a", "GGUF:Q4_0", (0,))], "no dtype 'GGUF:Q4_0'"),
    ],
)
def test_what_cannot_be_written(tmp_path, headers, message):
    with pytest.raises(InputError, match=message):
        write_safetensors(tmp_path / "m", headers, [[]] * len(headers))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ResourceError, match="cannot be written"):
        write_safetensors(tmp_path / "no" / "m", HEADERS, [[B], [A]])


def test_a_full_disk_is_one_error(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResourceError, match="the disk is full"):
        write_safetensors(tmp_path / "m", HEADERS, [[B], [A]])
    assert list(tmp_path.iterdir()) == []
