import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from support.containers import entry, safetensors_bytes, save_model, write
from tensorguard.errors import InputError
from tensorguard.formats.safetensors import BITS, Safetensors, read_safetensors
from tensorguard.sources.local import LocalFile
from tensorguard.tensors.decoding import PLAIN
from tensorguard.tensors.storage import StoredTensor


def test_agrees_with_the_reference_on_names_shapes_and_bytes(tmp_path):
    rng = np.random.default_rng(0)
    made = {
        "w": rng.standard_normal((5, 7)).astype(np.float32),
        "h": rng.standard_normal((2, 3, 4)).astype(np.float16),
        "scalar": np.array(3, np.int64),
        "empty": np.zeros((0, 9), np.float64),
        "mask": np.array([True, False, True]),
    }
    save_file(made, tmp_path / "m.safetensors", {"format": "np", "note": "grüße"})
    header = read_safetensors(LocalFile(tmp_path / "m.safetensors"))
    assert {info.name for info in header.tensors} == set(made)
    for info in header.tensors:
        raw = info.source.read_at(info.offset, info.nbytes)
        assert info.shape == made[info.name].shape
        np.testing.assert_array_equal(raw.view(PLAIN[info.dtype]).reshape(info.shape), made[info.name])
    assert header.metadata == {"format": "np", "note": "grüße"}


def test_tensors_come_in_the_order_of_the_header_not_of_the_data(tmp_path):
    header = {"late": entry("F32", [1], 8, 12), "early": entry("F32", [2], 0, 8)}
    source = write(tmp_path / "m.safetensors", safetensors_bytes(header, bytes(12)))
    assert [(i.name, i.size, i.nbytes) for i in read_safetensors(source).tensors] == [("late", 1, 4), ("early", 2, 8)]


@pytest.mark.parametrize("dtype", sorted(BITS))
def test_every_dtype_of_the_reference_is_listed(tmp_path, dtype):
    size = 8 * BITS[dtype] // 8
    source = write(tmp_path / "m.safetensors", safetensors_bytes({"t": entry(dtype, [2, 4], 0, size)}, bytes(size)))
    with safe_open(source.path, "np") as reference:
        assert list(reference.keys()) == ["t"]
    (info,) = read_safetensors(source).tensors
    assert (info.dtype, info.nbytes) == (dtype, size)


@pytest.mark.parametrize("dtype", sorted(set(BITS) - set(PLAIN)))
def test_a_dtype_that_cannot_be_decoded_fails_on_reading_not_on_listing(tmp_path, dtype):
    size = BITS[dtype]
    source = write(tmp_path / "m.safetensors", safetensors_bytes({"t": entry(dtype, [8], 0, size)}, bytes(size)))
    (info,) = read_safetensors(source).tensors
    with pytest.raises(InputError, match="cannot be decoded"):
        StoredTensor(info).read(slice(0, 1), slice(0, 8))


def test_every_decodable_dtype_has_the_size_of_its_numpy_type():
    assert {name: 8 * dtype.itemsize for name, dtype in PLAIN.items()} == {name: BITS[name] for name in PLAIN}


def test_space_around_the_header_and_unknown_fields_are_legal(tmp_path):
    raw = b'  {"t": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2], "new": [1, {}]}}    '
    (info,) = read_safetensors(write(tmp_path / "m", safetensors_bytes(raw, b"\x01\x02"))).tensors
    assert info.source.read_at(info.offset, 2).tolist() == [1, 2]


def test_recognised_by_content(tmp_path):
    assert Safetensors().recognises(save_model(tmp_path / "m").read_bytes()[:64])
    assert not Safetensors().recognises(b"GGUF" + bytes(60))
    assert not Safetensors().recognises(b"")
