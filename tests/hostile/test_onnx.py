"""Hostile ONNX files: each gives one InputError, at once and within a few megabytes, and nothing outside its folder is read."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from support.onnx_models import node, save_onnx
from support.protobuf import field, nested_graphs, varint
from support.refusing import refusal
from tensorguard import open_model
from tensorguard.errors import InputError
from tensorguard.formats import protobuf
from tensorguard.formats.opening import open_checkpoint
from tensorguard.tensors.storage import stored_tensors


def model(*tensors: bytes, extra: bytes = b"") -> bytes:
    return field(1, 8) + field(7, b"".join(field(5, tensor) for tensor in tensors) + extra)


def tensor(*fields: bytes, name: bytes = b"a.weight", kind: int = 1, dims: tuple[int, ...] = (2, 2)) -> bytes:
    return b"".join(field(1, n % 2**64) for n in dims) + field(2, kind) + field(8, name) + b"".join(fields)


GOOD = tensor(field(9, bytes(16)))


FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "0 graphs"),
    "no graph": (field(1, 8), "0 graphs"),
    "two graphs": (model(GOOD) + model(GOOD), "2 graphs"),
    "a number without an end": (b"\xff" * 50, "has no end"),
    "a number cut off": (b"\x08\xff", "has no end"),
    "a group": (field(1, 8) + b"\x0b", "unknown type 3"),
    "field zero": (b"\x00\x00", "does not end within"),
    "longer than the file": (field(1, 8) + b"\x3a" + varint(2**62), "does not end within"),
    "a tensor longer than its graph": (field(1, 8) + field(7, b"\x2a" + varint(500)), "does not end within"),
    "values cut off": (model(GOOD)[:-5], "does not end within"),
    "values too short": (model(tensor(field(9, bytes(15)))), "needs 16 bytes, but has 15"),
    "values too long": (model(tensor(field(9, bytes(17)))), "needs 16 bytes, but has 17"),
    "no values": (model(tensor()), "0 lists of values"),
    "values twice": (model(tensor(field(9, bytes(16)), field(9, bytes(16)))), "2 lists of values"),
    "values in two fields": (model(tensor(field(9, bytes(16)), field(4, bytes(16)))), "2 lists of values"),
    "a tensor twice": (model(GOOD, GOOD), "twice"),
    "2^62 elements": (model(tensor(field(9, bytes(16)), dims=(2**31, 2**31))), "needs 18446744073709551616 bytes"),
    "2^64 elements": (model(tensor(field(9, bytes(16)), dims=(2**32, 2**32))), "more than 2^63"),
    "negative extent": (model(tensor(field(9, bytes(16)), dims=(-2, -2))), "impossible shape"),
    "nine dimensions": (model(tensor(field(9, bytes(4)), dims=(1,) * 9)), "impossible shape"),
    "a million dimensions": (model(field(1, b"\x01" * 1_000_000) + field(2, 1)), "more than the 8 numbers"),
    "a long name": (model(tensor(field(9, bytes(16)), name=b"x" * 5000)), "longer than the 4096"),
    "a name that is not UTF-8": (model(tensor(field(9, bytes(16)), name=b"\xff\xfe")), "not UTF-8"),
    "a part of a tensor": (model(tensor(field(3, b""), field(9, bytes(16)))), "is a part of one"),
    "packed integers too few": (model(tensor(field(5, bytes(3)), kind=3)), "packed integers, which do not fit"),
    "packed 4-bit integers too few": (model(tensor(field(5, bytes(1)), kind=22)), "packed integers, which do not fit"),
    "nested graphs": (model(GOOD, extra=nested_graphs(100)), "nested more than"),
    "only text": (model(tensor(field(6, b"x"), kind=8)), "holds no tensors"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_files(tmp_path: Path, name: str) -> None:
    raw, said = FILES[name]
    (tmp_path / "model.onnx").write_bytes(raw)
    refusal(tmp_path / "model.onnx", said)


def test_the_file_that_the_others_are_made_of_is_good(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(model(GOOD))
    assert [info.name for info in open_checkpoint(tmp_path / "model.onnx").tensors] == ["a.weight"]
    assert onnx.load(tmp_path / "model.onnx").graph.initializer[0].name == "a.weight"


def test_the_number_of_fields_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protobuf, "MAX_PROTOBUF_FIELDS", 1000)
    (tmp_path / "model.onnx").write_bytes(model(GOOD, extra=field(1, b"") * 2000))
    refusal(tmp_path / "model.onnx", "more than the 1000 fields")


def test_packed_integers_that_are_no_integers(tmp_path: Path) -> None:
    for raw in (b"\x01\x02\x83\x04\x05", b"\x01\x02\x03\x04\x85", b"\x01\x02\x03\x04\x05"):
        (tmp_path / "model.onnx").write_bytes(model(tensor(field(5, raw), kind=3)))
        (stored,) = stored_tensors(open_checkpoint(tmp_path / "model.onnx").tensors)
        if raw == b"\x01\x02\x83\x04\x05":
            assert stored.read(slice(0, 2), slice(0, 2)).tolist() == [[1, 2], [3 + (4 << 7) - 512, 5]]
        else:
            with pytest.raises(InputError, match=r"integers instead of 4|breaks off"):
                stored.read(slice(0, 2), slice(0, 2))


def external(folder: Path, location: str, **facts: str) -> Path:
    """A model whose one tensor of 16 bytes lies elsewhere."""
    value = TensorProto(name="a.weight", data_type=1, dims=(2, 2), data_location=TensorProto.EXTERNAL)
    for key, text in {"location": location, **facts}.items():
        value.external_data.add(key=key, value=text)
    folder.mkdir(exist_ok=True)
    (folder / "model.onnx").write_bytes(helper.make_model(helper.make_graph([], "g", [], [], [value])).SerializeToString())
    return folder / "model.onnx"


@pytest.mark.parametrize(
    "location",
    [
        "../secret",
        "../../etc/passwd",
        "/etc/passwd",
        "a/../../secret",
        "",
        "..",
        "C:\\secret",
        "\\\\host\\x",
        "a\nb",
        "x" * 300,
        "a\x00",
    ],
)
def test_external_data_outside_the_folder(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(64))
    refusal(external(tmp_path / "m", location), "which is no plain path inside its folder")


def test_external_data_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(64))
    path = external(tmp_path / "m", "sub/secret")
    (tmp_path / "m" / "sub").symlink_to(tmp_path)
    refusal(path, "a link leads out of its folder")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"offset": "50"}, "needs bytes 50 to 66"),
        ({"offset": "-1"}, "offset that is no number"),
        ({"offset": "1e3"}, "offset that is no number"),
        ({"offset": "9" * 30}, "offset that is no number"),
        ({"length": "15"}, "needs bytes 0 to 16"),
    ],
)
def test_external_data_that_does_not_fit(tmp_path: Path, facts: dict[str, str], said: str) -> None:
    path = external(tmp_path / "m", "data.bin", **facts)
    (tmp_path / "m" / "data.bin").write_bytes(bytes(64))
    refusal(path, said)


def test_external_data_that_is_no_file(tmp_path: Path) -> None:
    path = external(tmp_path / "m", "data.bin")
    os.mkfifo(tmp_path / "m" / "data.bin")
    refusal(path, "which is not there")


REAL_NODES = [
    node("DequantizeLinear", ["onnx::MatMul_1_quantized", "s", "z"], "w", axis=1),
    node("MatMul", ["x", "w"], "/m/fc/MatMul_output_0", "/m/fc/MatMul"),
    node("Add", ["m.fc.bias", "/m/fc/MatMul_output_0"], "y"),
]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    tensors = {
        "onnx::MatMul_1_quantized": np.ones((3, 4), np.int8),
        "s": np.ones(4, np.float32),
        "z": np.zeros(4, np.int8),
        "m.fc.bias": np.ones(4),
    }
    return save_onnx(tmp_path_factory.mktemp("real") / "m.onnx", tensors, REAL_NODES).read_bytes()


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_changed_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, real: bytes, data: st.DataObject) -> None:
    raw = bytearray(real)
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "changed.onnx"
    path.write_bytes(raw[: data.draw(st.sampled_from([len(raw), len(raw) // 2]))])
    try:
        opened = open_model(path)
        values = [stored.read(slice(0, 1), slice(0, 1)) for stored in opened.tensors if stored.shape and 0 not in stored.shape]
    except InputError:
        return
    assert all(value.shape == (1, 1) for value in values)
