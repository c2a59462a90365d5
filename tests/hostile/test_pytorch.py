"""Hostile files of torch.save: nothing in them is run, and each gives one InputError, at once and within a few megabytes."""

import builtins
import io
import os
import pickle
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from support.refusing import refusal
from support.torch_files import F32_STORAGE, archive_bytes, integer, running, state, tensor, text
from tensorguard.errors import InputError
from tensorguard.formats import pickle_opcodes
from tensorguard.formats.opening import open_checkpoint
from tensorguard.formats.pickle_machine import read_records

GOOD = archive_bytes(state(w=tensor()))


def refused(tmp_path: Path, raw: bytes, said: str, name: str = "model.bin") -> InputError:
    path = tmp_path / name
    path.write_bytes(raw)
    return refusal(path, said, (24 << 20) + 3 * len(raw))


def test_the_file_that_the_others_are_made_of_is_good(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(GOOD)
    assert [(info.name, info.shape) for info in open_checkpoint(tmp_path / "model.bin").tensors] == [("w", (4, 4))]
    assert torch.load(tmp_path / "model.bin", weights_only=True)["w"].shape == (4, 4)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_nothing_is_run(tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "trace"
    raw = archive_bytes(running(os.system, f"touch {trace}", protocol=protocol))
    error = refused(tmp_path, raw, "would run 'posix.system': refused")
    assert "safetensors" in error.hint
    assert not trace.exists()
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "model.bin", weights_only=True)


@pytest.mark.parametrize("function", [eval, exec, open, __import__, getattr, os.popen, shutil.rmtree, subprocess.check_output, torch.load,
                                      torch.hub.load, builtins.print, pickle.loads, io.open, bytearray, set, complex])  # fmt: skip
def test_every_other_name_is_refused(tmp_path: Path, function: object) -> None:
    refused(tmp_path, archive_bytes(running(function, "x")), "would run")


@given(st.text(max_size=30), st.text(max_size=30), st.booleans())
def test_any_name_is_refused_by_itself(module: str, name: str, stacked: bool) -> None:
    if stacked or "\n" in module + name:
        pickled = b"\x80\x04" + text(module) + text(name) + b"\x93."
    else:
        pickled = b"\x80\x02c" + module.encode() + b"\n" + name.encode() + b"\n."
    with pytest.raises(InputError, match="would run"):
        read_records(pickled, "x")


@pytest.mark.parametrize(
    "name", ["torch.nn.Module", "torch.FloatStorage.__init__", "torch._utils._rebuild_tensor_v2.__globals__", "torch.storage.FloatStorage",
             "torch.os", "torch.serialization.os", "collections.OrderedDict.fromkeys", "torch.Size.__class__", "torch.bool.__class__"],
)  # fmt: skip
def test_names_that_look_alike(name: str) -> None:
    for cut in range(1, name.count(".") + 1):
        parts = name.split(".")
        module, attribute = ".".join(parts[:cut]), ".".join(parts[cut:])
        with pytest.raises(InputError):
            read_records(b"\x80\x04" + text(module) + text(attribute) + b"\x93.", "x")


OF_TYPE = b"ctorch._tensor\n_rebuild_from_type_v2\n"

PICKLES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "ends before its STOP"),
    "no stop": (b"\x80\x02}", "ends before its STOP"),
    "bytes after the stop": (b"\x80\x02}.}", "bytes follow"),
    "two values": (b"\x80\x02}}.", "more or less than one value"),
    "no value": (b"\x80\x02.", "more or less than one value"),
    "unknown opcode": (b"\x80\x02\xff.", "the byte 0xff"),
    "INST": (b"(ios\nsystem\n.", "INST"),
    "OBJ": (b"(cos\nsystem\no.", "would run 'os.system'"),
    "NEWOBJ": (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "NEWOBJ"),
    "EXT1": (b"\x80\x02\x82\x01.", "EXT1"),
    "PERSID": (b"P0\n.", "PERSID"),
    "text of 2^63 bytes": (b"\x80\x04\x8d" + b"\xff" * 8 + b".", "claims 18446744073709551615 bytes"),
    "bytes of 4 GB": (b"\x80\x03B\xff\xff\xff\xff.", "claims 4294967295 bytes"),
    "negative length": (b"\x80\x02T\xff\xff\xff\xff.", "claims -1 bytes"),
    "integer of a million bytes": (b"\x80\x02\x8b\x40\x42\x0f\x00" + bytes(1_000_000) + b".", "integer of 1000000 bytes"),
    "text that is not UTF-8": (b"\x80\x02X\x02\x00\x00\x00\xff\xfe.", "not UTF-8"),
    "name without an end": (b"\x80\x02c" + b"a" * 10_000, "name without an end"),
    "unknown memo": (b"\x80\x02h\x05.", "never put aside"),
    "pop of nothing": (b"\x80\x020.", "drops a value"),
    "tuple of nothing": (b"\x80\x02\x87.", "where there is none"),
    "tuple without a mark": (b"\x80\x02t.", "never opened"),
    "value under a mark": (b"\x80\x02}(s.", "where there is none"),
    "append to a dict": (b"\x80\x02}}a.", "no list"),
    "odd items": (b"\x80\x02}(}u.", "no dict"),
    "items of a list": (b"\x80\x02]}}s.", "no dict"),
    "a dict as a key": (b"\x80\x02}}}s.", "keys that are neither"),
    "a tuple as a key": (b"\x80\x02}))s.", "keys that are neither"),
    "attributes of a tensor": (b"\x80\x02" + tensor() + b"}b.", "attributes of what is no dict"),
    "call of a text": (b"\x80\x02" + text("os.system") + b")R.", "no known function"),
    "call of a storage type": (b"\x80\x02" + F32_STORAGE + b")R.", "no known function"),
    "too few arguments": (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.", "wrong arguments"),
    "tensor of texts": (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(NNNNNNtR.", "no storage, offset"),
    "parameter of a dict": (b"\x80\x02ctorch._utils\n_rebuild_parameter\n}\x88}\x87R.", "parameter that is no tensor"),
    "no storage": (b"\x80\x02" + text("x") + b"Q.", "no storage"),
    "storage of an unknown type": (b"\x80\x02(" + text("storage") + b"ctorch\nSize\n" + text("0") + text("cpu") + integer(1) + b"tQ.",
         "no storage"),
    "storage of negative length": (b"\x80\x02(" + text("storage") + F32_STORAGE + text("0") + text("cpu") + integer(-1) + b"tQ.",
         "no storage"),
    "a tensor of itself": (b"\x80\x04" + OF_TYPE + b"(" + OF_TYPE + b"ctorch\nTensor\n)NtR.", "describes a tensor by itself"),
    "a class of its own": (b"\x80\x02" + OF_TYPE + b"(NctorchX\nTensor\n)NtR.", "would run"),
}  # fmt: skip


@pytest.mark.parametrize("name", PICKLES)
def test_pickles(tmp_path: Path, name: str) -> None:
    raw, said = PICKLES[name]
    refused(tmp_path, archive_bytes(raw), said)


def test_bombs_of_references_stay_small(tmp_path: Path) -> None:
    bomb = (
        b"\x80\x02}("
        + text("w")
        + b"]"
        + b"".join(b"q" + bytes([n]) + b"](" + (b"h" + bytes([n])) * 10 + b"e" for n in range(200))
    )
    refused(tmp_path, archive_bytes(bomb + b"u."), "")


def test_deep_nesting(tmp_path: Path) -> None:
    deep = b"\x80\x02}" + text("w") + b")" + b"\x85" * 50_000 + b"s."
    refused(tmp_path, archive_bytes(deep), "holds no tensors")
    inner = b"ctorch\nTensor\n"
    nested = OF_TYPE * 3000 + b"N" + (inner + b"N\x87R") * 3000
    refused(tmp_path, archive_bytes(b"\x80\x02" + nested + b"."), "")
    dicts = b"\x80\x02" + (b"}" + text("model")) * 10_000 + b"}" + b"s" * 10_000 + b"."
    refused(tmp_path, archive_bytes(dicts), "holds no tensors")
    itself = b"\x80\x02}q\x00" + text("model") + b"h\x00s."
    refused(tmp_path, archive_bytes(itself), "holds no tensors")


def test_the_number_of_opcodes_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_opcodes, "MAX_PICKLE_OPCODES", 1000)
    refused(tmp_path, archive_bytes(b"\x80\x02" + b"}" * 2000 + b"."), "more than the 1000 opcodes")


STATES: dict[str, tuple[bytes, str]] = {
    "more than its storage": (state(w=tensor(shape=(5, 4))), "its storage, which has 16"),
    "beyond its storage": (state(w=tensor(offset=1)), "its storage, which has 16"),
    "2^62 rows": (state(w=tensor(shape=(2**62, 4))), "its storage"),
    "2^63 columns": (state(w=tensor(shape=(2, 2**63))), "no storage, offset"),
    "a negative offset": (state(w=tensor(offset=-1)), "no storage, offset"),
    "negative strides": (state(w=tensor(strides=(-4, 1))), "no storage, offset"),
    "strides beyond the storage": (state(w=tensor(strides=(2**61, 1))), "its storage"),
    "one stride": (state(w=tensor(strides=(1,))), "2 dimensions and 1 strides"),
    "nine dimensions": (state(w=tensor(shape=(1,) * 9, strides=(1,) * 9)), "9 dimensions"),
    "a storage that is not there": (state(w=tensor(key="1")), "storage '1' is not there"),
    "a storage upwards": (state(w=tensor(key="../data.pkl")), "is not there"),
    "a storage too short": (state(w=tensor(numel=17)), "claims 68 bytes, but takes 64"),
    "a storage too long": (state(w=tensor(numel=15)), "claims 60 bytes, but takes 64"),
    "2^63 - 1 elements": (state(w=tensor(numel=2**63 - 1)), "but takes 64"),
    "a storage in two ways": (state(w=tensor(), v=tensor(storage=b"ctorch\nIntStorage\n")), "described in two ways"),
    "a long name": (state(**{"x" * 5000: tensor()}), "longer than"),
}  # fmt: skip


@pytest.mark.parametrize("name", STATES)
def test_tensors(tmp_path: Path, name: str) -> None:
    raw, said = STATES[name]
    refused(tmp_path, archive_bytes(raw), said)


def test_sharing_without_end(tmp_path: Path) -> None:
    names = b"".join(text(f"{n:x}") + b"h\x00" for n in range(5000))
    pickled = b"\x80\x02" + tensor(shape=(256, 64), strides=(64, 1), numel=16384) + b"q\x000}(" + names + b"u."
    refused(tmp_path, archive_bytes(pickled, {"0": bytes(65536)}), "more sharing")


def entry_at(raw: bytes, name: bytes) -> tuple[int, int]:
    """Where an entry's own header and its description in the directory begin."""
    return raw.index(b"PK\x03\x04", raw.index(name) - 30), raw.index(b"PK\x01\x02", raw.rindex(name) - 46)


def patched(raw: bytes, at: int, layout: str, value: int) -> bytes:
    size = struct.calcsize(layout)
    return raw[:at] + struct.pack(layout, value) + raw[at + size :]


STORED, LISTED = entry_at(GOOD, b"archive/data/0")
FIRST_LISTED = entry_at(GOOD, b"archive/data.pkl")[1]
END = GOOD.rindex(b"PK\x05\x06")
START = GOOD.index(b"PK\x01\x02")

ARCHIVES: dict[str, tuple[bytes, str]] = {
    "deflated": (archive_bytes(state(w=tensor()), method=zipfile.ZIP_DEFLATED), "is compressed (Deflate)"),
    "deflated bomb": (archive_bytes(state(w=tensor()), {"0": bytes(10_000_000)}, zipfile.ZIP_DEFLATED), "is compressed (Deflate)"),
    "encrypted": (patched(GOOD, LISTED + 8, "<H", 1), "is encrypted"),
    "two sizes": (patched(GOOD, LISTED + 20, "<L", 63), "two sizes"),
    "longer than the file": (patched(patched(GOOD, LISTED + 20, "<L", 2**31), LISTED + 24, "<L", 2**31), "does not end before"),
    "header outside": (patched(GOOD, LISTED + 42, "<L", 2**31), "does not end before"),
    "header elsewhere": (patched(GOOD, LISTED + 42, "<L", 3), "overlaps"),
    "overlapping": (patched(GOOD, LISTED + 42, "<L", STORED - 20), "overlaps"),
    "another name in the header": (GOOD[: STORED + 30] + b"archive/data/1" + GOOD[STORED + 44 :], "another name"),
    "compressed in the header only": (patched(GOOD, STORED + 8, "<H", 8), "not where its directory says"),
    "a name's length in the header": (patched(GOOD, STORED + 28, "<H", 60_000), "not where its directory says"),
    "count of records": (patched(patched(GOOD, END + 8, "<H", 4), END + 10, "<H", 4), "directory claims 4 records"),
    "fewer records": (patched(patched(GOOD, END + 8, "<H", 2), END + 10, "<H", 2), "belong to no record"),
    "directory moved": (patched(GOOD, END + 16, "<L", START - 1), "would have to end at"),
    "something behind": (GOOD + b"x", "something follows it"),
    "a comment": (patched(GOOD, END + 20, "<H", 1) + b"x", "something follows it"),
    "cut": (GOOD[:-30], "something follows it"),
    "cut early": (GOOD[:200], "truncated"),
    "a directory in pieces": (patched(GOOD, END + 4, "<H", 1), "in several files"),
    "a directory with a bad record": (patched(GOOD, FIRST_LISTED, "<L", 0), "directory is damaged"),
    "a name as long as the directory": (patched(GOOD, FIRST_LISTED + 28, "<H", 65535), "directory is damaged"),
}  # fmt: skip


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives(tmp_path: Path, name: str) -> None:
    raw, said = ARCHIVES[name]
    refused(tmp_path, raw, said)


def zipped(*records: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, raw in records:
            archive.writestr(name, raw)
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([("a/data.pkl", state(w=tensor())), ("a/data/0", bytes(64)), ("a/data/0", bytes(64))], "twice"),
        ([("a/data.pkl", state(w=tensor())), ("b/data.pkl", state(w=tensor()))], "2 lists of tensors"),
        ([("a/data.pkl", GOOD)], "the byte 0x50|opcode PERSID"),
        ([("a/data.pkl", state(w=tensor())), ("a/data/0", bytes(64)), ("a/byteorder", b"big")], "big-endian"),
        ([("a/data.pkl", state(w=tensor())), ("a/data/0", bytes(64)), ("a/code/x.py", b"")], "TorchScript"),
        ([("model.bin", GOOD)], "not as torch.save writes one"),
        ([("x.npy", bytes(20))], "not as torch.save writes one"),
    ],
)
def test_other_archives(tmp_path: Path, records: list[tuple[str, bytes]], said: str) -> None:
    error = refused(tmp_path, zipped(*records), "")
    assert any(each in error.message for each in said.split("|"))
