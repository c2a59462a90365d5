import gguf
import numpy as np
import pytest
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import _type_traits

from support.containers import ARRAY, BOOL, STRING, U8, U32, array, gguf_bytes, gguf_tensor, pair, text, write
from tensorguard.formats.gguf import read_gguf
from tensorguard.sources.local import LocalFile

QUANTISABLE = sorted((kind for kind, codec in _type_traits.items() if "quantize_blocks" in vars(codec)), key=lambda k: k.name)


def written(path, fill):
    writer = gguf.GGUFWriter(path, "llama")
    fill(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return LocalFile(path), gguf.GGUFReader(path)


def agree(source, reference):
    ours = [(i.name, i.offset, i.nbytes, tuple(reversed(i.shape))) for i in read_gguf(source).tensors]
    assert ours == [(t.name, t.data_offset, t.n_bytes, tuple(t.shape.tolist())) for t in reference.tensors]


def test_agrees_with_the_gguf_package_on_plain_types(tmp_path):
    def fill(writer):
        writer.add_tensor("token_embd.weight", np.arange(24, dtype=np.float32).reshape(4, 6))
        writer.add_tensor("half", np.arange(6, dtype=np.float16).reshape(1, 2, 3))
        writer.add_tensor("ints", np.arange(5, dtype=np.int32))
        writer.add_tensor("doubles", np.arange(5, dtype=np.float64))

    source, reference = written(tmp_path / "m.gguf", fill)
    agree(source, reference)
    infos = {info.name: info for info in read_gguf(source).tensors}
    assert infos["token_embd.weight"].shape == (4, 6)
    assert {info.dtype for info in infos.values()} == {"F32", "F16", "I32", "F64"}
    raw = source.read_at(infos["token_embd.weight"].offset, infos["token_embd.weight"].nbytes)
    assert raw.view("<f4").tolist() == list(range(24))


def test_there_are_quantised_types_to_test():
    assert {"Q4_0", "Q8_0", "BF16"} <= {kind.name for kind in QUANTISABLE}


@pytest.mark.parametrize("kind", QUANTISABLE, ids=lambda kind: kind.name)
def test_agrees_with_the_gguf_package_on_quantised_types(tmp_path, kind):
    weights = np.random.default_rng(0).standard_normal((3, 512)).astype(np.float32)
    packed = gguf.quantize(weights, kind)

    def fill(writer):
        writer.add_tensor("w", packed, raw_dtype=kind)
        writer.add_tensor("v", np.ones(7, np.float32))

    source, reference = written(tmp_path / "m.gguf", fill)
    agree(source, reference)
    info = read_gguf(source).tensors[0]
    assert info.shape == (3, 512)
    assert info.dtype == ("BF16" if kind.name == "BF16" else f"GGUF:{kind.name}")
    assert source.read_at(info.offset, info.nbytes).tobytes() == packed.tobytes()


@pytest.mark.parametrize("kind", list(GGMLQuantizationType), ids=lambda kind: kind.name)
def test_every_type_of_the_package_has_a_size(tmp_path, kind):
    elements, size = GGML_QUANT_SIZES[kind]
    source = write(tmp_path / "m.gguf", gguf_bytes(tensors=[gguf_tensor(dims=(elements, 3), kind=kind)], data=3 * size))
    (info,) = read_gguf(source).tensors
    assert (info.nbytes, info.shape, info.offset) == (3 * size, (3, elements), source.size - 3 * size)


def test_keys_become_the_configuration(tmp_path):
    def fill(writer):
        writer.add_uint32("llama.block_count", 30)
        writer.add_float32("llama.eps", 0.5)
        writer.add_bool("flag", True)
        writer.add_int64("negative", -7)
        writer.add_string("general.name", "zwölf")
        writer.add_array("widths", [1, 2, 3])
        writer.add_array("tags", ["x", "", "ß"])
        writer.add_token_list([f"token {i}" for i in range(5000)])
        writer.add_token_scores([0.0] * 5000)
        writer.add_uint32("after", 9)

    config = read_gguf(written(tmp_path / "m.gguf", fill)[0]).config
    expected = {"llama.block_count": 30, "llama.eps": 0.5, "flag": True, "negative": -7, "general.name": "zwölf", "after": 9}
    assert expected.items() <= config.items()
    assert config["widths"] == [1, 2, 3]
    assert config["tags"] == ["x", "", "ß"]
    assert config["tokenizer.ggml.tokens.length"] == config["tokenizer.ggml.scores.length"] == 5000
    assert "tokenizer.ggml.tokens" not in config


def test_nested_arrays_are_kept_if_they_are_small(tmp_path):
    nested = array(ARRAY, 2, array(U8, 2, b"\x01\x02") + array(STRING, 1, text("x")))
    config = read_gguf(write(tmp_path / "m.gguf", gguf_bytes([pair("n", ARRAY, nested), pair("z", BOOL, b"\x01")]))).config
    assert config == {"n": [[1, 2], ["x"]], "z": True}


def test_version_2_and_another_alignment(tmp_path):
    pairs = [pair("general.alignment", U32, (256).to_bytes(4, "little"))]
    tensors = [gguf_tensor("a", (3,)), gguf_tensor("b", (2, 2), offset=256)]
    raw = gguf_bytes(pairs, tensors, 256 + 16, version=2, alignment=256)
    first, second = read_gguf(write(tmp_path / "m.gguf", raw)).tensors
    assert (first.offset, second.offset - first.offset, second.shape) == (256, 256, (2, 2))


def test_scalars_and_empty_tensors_are_legal(tmp_path):
    tensors = [gguf_tensor("scalar", ()), gguf_tensor("empty", (0, 5), offset=32)]
    infos = read_gguf(write(tmp_path / "m.gguf", gguf_bytes(tensors=tensors, data=32))).tensors
    assert [(info.shape, info.nbytes) for info in infos] == [((), 4), ((5, 0), 0)]


def test_a_header_longer_than_the_window_is_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("tensorguard.formats.gguf_values._WINDOW", 16)
    pairs = [pair(f"key {i}", STRING, text("value" * (i % 7))) for i in range(50)]
    raw = gguf_bytes([*pairs, pair("long", ARRAY, array(STRING, 2000, text("ab") * 2000))], [gguf_tensor()], 128)
    header = read_gguf(write(tmp_path / "m.gguf", raw))
    assert header.config == {f"key {i}": "value" * (i % 7) for i in range(50)} | {"long.length": 2000}
    assert header.tensors[0].nbytes == 128
