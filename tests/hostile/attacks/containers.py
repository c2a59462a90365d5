"""Attacks by one file: headers, archives, pickles, graphs."""

import io
import pickle
import struct
import zipfile
from pathlib import Path

from hostile.attacks.attack import Attack, Make, inspected
from support.containers import gguf_bytes, gguf_tensor, pair, safetensors_bytes
from support.hostile import GGUF, SAFETENSORS
from support.protobuf import field, nested_graphs, varint
from support.torch_files import archive_bytes, running, state, tensor, text

ORDERED = b"ccollections\nOrderedDict\n"


def onnx_tensor(*fields: bytes, dims: tuple[int, ...] = (2, 2), kind: int = 1, name: bytes = b"a.weight") -> bytes:
    return field(5, b"".join(field(1, n % 2**64) for n in dims) + field(2, kind) + field(8, name) + b"".join(fields))


def onnx_model(*parts: bytes) -> bytes:
    return field(1, 8) + field(7, b"".join(parts))


def archived(record: bytes, **files: bytes) -> bytes:
    return archive_bytes(record, files)


def copied_lists() -> bytes:
    """One list of 3000 pairs, put aside once, and 3000 ordered dicts made of it."""
    pairs = b"](" + text("a") + b"K\x01\x86q\x01" + b"h\x01" * 3000 + b"eq\x02"
    return b"\x80\x02" + ORDERED + b"q\x00" + pairs + b"(h\x02tq\x03" + b"h\x00h\x03R0" * 3000 + b"0}."


def deflated() -> bytes:
    """50 MB of zeros in 50 kB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr(zipfile.ZipInfo("archive/data.pkl"), b"\x80\x02}.")
        info = zipfile.ZipInfo("archive/data/0")
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, bytes(50_000_000))
    return buffer.getvalue()


def overlapping() -> bytes:
    """Two records of an archive that are one (as in Fifield's bombs)."""
    raw = bytearray(archive_bytes(b"\x80\x02}.", {"0": bytes(64)}))
    entries = [at for at in range(len(raw) - 4) if raw[at : at + 4] == b"PK\x01\x02"]
    raw[entries[-1] + 42 : entries[-1] + 46] = raw[entries[0] + 42 : entries[0] + 46]
    return bytes(raw)


def claiming(what: bytes, at: int, value: int) -> bytes:
    """An archive of which a number of its first entry, or of its end, is another."""
    raw = bytearray(archive_bytes(state(a=tensor())))
    begin = raw.find(what)
    raw[begin + at : begin + at + 4] = struct.pack("<I", value)
    return bytes(raw)


def sparse(name: str, head: bytes, size: int) -> Make:
    """A file whose rest is a hole."""

    def make(folder: Path) -> list[object]:
        with (folder / name).open("wb") as file:
            file.write(head)
            file.truncate(size)
        return ["inspect", folder / name]

    return make


def many(count: int) -> bytes:
    """So many tensors without an element."""
    entries = b",".join(b'"layers.%d.x.weight":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}' % n for n in range(count))
    return safetensors_bytes(b"{" + entries + b"}")


def named(name: str) -> Make:
    return inspected(
        "model.safetensors", safetensors_bytes({name: {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}, bytes(16))
    )


ATTACKS: dict[str, Attack] = {
    **{
        f"safetensors: {name}": Attack("header of safetensors", inspected("model.safetensors", raw), words)
        for name, (raw, words) in SAFETENSORS.items()
    },
    **{f"gguf: {name}": Attack("header of GGUF", inspected("model.gguf", raw), words) for name, (raw, words) in GGUF.items()},
    "safetensors: 8000 tensors without an element": Attack(
        "time for each tensor", inspected("model.safetensors", many(8_000)), "8,000", 0
    ),
    "safetensors: a hole of 400 GB": Attack(
        "length of a file", sparse("model.safetensors", safetensors_bytes({}, length=2), 400 << 30), "no tensor owns"
    ),
    "safetensors: header of 100 MB in a hole": Attack(
        "length of a header", sparse("model.safetensors", struct.pack("<Q", 99_000_000), 1 << 30), "not JSON"
    ),
    "gguf: a hole of 400 GB": Attack(
        "length of a file", sparse("model.gguf", gguf_bytes(counts=(2**40, 2**40)), 400 << 30), "more than it can hold"
    ),
    "names: escape sequences": Attack("names in a terminal", named("\x1b[2J\x1b]0;x\x07a"), r"\x1b[2J", 0),
    "names: right to left": Attack("names in a terminal", named("\u202egpj.exe\u2066"), r"\u202e", 0),
    "names: a line's end": Attack("names in a terminal", named("a\nerror: b\r\x85\u2028c"), r"\n", 0),
    "zip: a bomb": Attack("compressed records", inspected("m.bin", deflated()), "compressed"),
    "zip: records that overlap": Attack("offsets of records", inspected("m.bin", overlapping()), "overlaps"),
    "zip: a directory of 4 GB": Attack(
        "length of the directory", inspected("m.bin", claiming(b"PK\x05\x06", 12, 2**32 - 1)), "directory"
    ),
    "zip: a record of 4 GB": Attack("length of a record", inspected("m.bin", claiming(b"PK\x01\x02", 24, 2**31)), "two sizes"),
    "zip: a record beyond the end": Attack(
        "offset of a record", inspected("m.bin", claiming(b"PK\x01\x02", 42, 2**31)), "does not end before"
    ),
    "zip: a path that leads out": Attack(
        "names of records", inspected("m.bin", archived(state(a=tensor(key="../../x")))), "is not there"
    ),
    "pickle: a program": Attack("REDUCE", inspected("m.bin", archived(running(print, "x"))), "would run"),
    "pickle: a program in a plain pickle": Attack("REDUCE", inspected("m.pkl", pickle.dumps({"a": print})), "never opened"),
    "pickle: lists copied over and over": Attack(
        "work of a pickle (found by reading)", inspected("m.bin", archived(copied_lists())), "over and over"
    ),
    "pickle: lists in lists": Attack(
        "depth", inspected("m.bin", archived(b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b".")), "no dict of tensors"
    ),
    "pickle: itself": Attack(
        "cycles", inspected("m.bin", archived(b"\x80\x02}q\x00" + text("model") + b"h\x00s.")), "no tensors"
    ),
    "pickle: memory put aside": Attack(
        "memo", inspected("m.bin", archived(b"\x80\x02}" + b"r\xff\xff\xff\xff" * 2000 + b"0.")), "one value"
    ),
    "pickle: a tensor of 2^62": Attack(
        "extents", inspected("m.bin", archived(state(a=tensor((2**31, 2**31), (2**31, 1))))), "storage"
    ),
    "pickle: a negative stride": Attack(
        "strides", inspected("m.bin", archived(state(a=tensor((4, 4), (-4, 1))))), "no storage, offset"
    ),
    "pickle: a stride of zero": Attack(
        "strides", inspected("m.bin", archived(state(a=tensor((2**20, 4), (0, 1))), **{"0": bytes(64)})), "repeats"
    ),
    "pickle: a storage seen 2000 times": Attack(
        "sharing",
        inspected(
            "m.bin", archived(state(**{f"a{n}": tensor((1024,), (1,), numel=1024) for n in range(2000)}), **{"0": bytes(4096)})
        ),
        "",
        0,
    ),
    "onnx: a length of 2^63": Attack("lengths", inspected("m.onnx", b"\x08\x08\x3a" + varint(2**63)), "truncated"),
    "onnx: a number without end": Attack("varints", inspected("m.onnx", b"\x08\x08\x3a" + b"\xff" * 40), "truncated"),
    "onnx: graphs in graphs": Attack("depth", inspected("m.onnx", onnx_model(nested_graphs(70))), "nested more than"),
    "onnx: an extent below zero": Attack(
        "shapes", inspected("m.onnx", onnx_model(onnx_tensor(field(9, bytes(16)), dims=(-2, -2)))), "impossible shape"
    ),
    "onnx: 2^64 elements": Attack("shapes", inspected("m.onnx", onnx_model(onnx_tensor(dims=(2**32, 2**32)))), "2^63"),
    "onnx: integers that break off": Attack(
        "packed integers", inspected("m.onnx", onnx_model(onnx_tensor(field(5, b"\x80" * 20), kind=6))), "", 0
    ),
    "gguf: a tensor twice as long": Attack(
        "lengths", inspected("m.gguf", gguf_bytes([], [gguf_tensor(dims=(8, 2**58))], 128)), "truncated"
    ),
    "gguf: keys without end": Attack(
        "pairs", inspected("m.gguf", gguf_bytes([pair("k", 9, struct.pack("<IQ", 9, 1) * 63)])), ""
    ),
}
