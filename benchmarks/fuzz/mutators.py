"""Changes of inputs that keep their outer form: JSON, safetensors, pickles in archives, protocol buffers, several files in one."""

import contextlib
import io
import json
import pickletools
import struct
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

from benchmarks.fuzz.harness import Mutator, joined, parted

EDGES = (
    0, 1, 2, 3, 7, 8, 63, 64, 127, 128, 255, 256, 4096, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53,
    2**62, 2**63 - 1, 2**63, 2**64 - 1,
)  # fmt: skip
_SCALARS: tuple[Any, ...] = (
    None, True, False, -1, -0.0, 0.5, 1e308, -1e30, 1e-320, 10**20, 10**400, "", "a", "\u202e\x1b[31m", "\ud800", "..", "../x",
    "/", "\0", "a" * 300, [], {}, [[]], [0], [-1], [2**62, 4], {"": None}, *EDGES,
)  # fmt: skip
_DEEP = 70


def edges(data: bytes, random: Random) -> bytes:
    """Put a number that is on some edge over 1, 2, 4 or 8 bytes."""
    if not data:
        return b"\0"
    raw = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 3))):
        size = random.choice((1, 2, 4, 8))
        at = random.randrange(len(raw))
        value = random.choice((*EDGES, len(raw), len(raw) - at)) + random.choice((-1, 0, 0, 0, 1))
        raw[at : at + size] = (value % 256**size).to_bytes(size, random.choice(("little", "little", "big")))
    return bytes(raw)


def spliced(data: bytes, random: Random) -> bytes:
    """Repeat, drop or move a run of bytes."""
    if len(data) < 2:
        return data * 2
    begin = random.randrange(len(data))
    end = min(len(data), begin + random.choice((1, 2, 4, 8, 16, 64, 256)))
    piece = data[begin:end]
    if random.random() < 0.4:
        return data[:begin] + data[end:]
    at = random.randrange(len(data))
    return data[:at] + piece * random.choice((1, 1, 1, 2, 50)) + data[at:]


def either(*mutators: Mutator) -> Mutator:
    """Return one that does what one of several does."""
    return lambda data, random: random.choice(mutators)(data, random)


plain = either(edges, spliced)


def json_value(value: Any, random: Random, depth: int = 0) -> Any:
    """Change one value somewhere in a tree."""
    inside = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    if not inside or depth > _DEEP or random.random() < 0.15:
        return _other(value, random)
    if isinstance(value, dict):
        return _changed_object(value, random.choice(list(inside)), random, depth)
    at, changed = random.randrange(len(value)), list(value)
    chance = random.random()
    if chance < 0.1:
        del changed[at]
    elif chance < 0.25:
        changed[at:at] = changed[at : at + 1] * random.choice((1, 1, 9, 300))
    else:
        changed[at] = json_value(changed[at], random, depth + 1)
    return changed


def _changed_object(value: dict[str, Any], key: str, random: Random, depth: int) -> dict[str, Any]:
    changed, chance = dict(value), random.random()
    if chance < 0.1:
        del changed[key]
    elif chance < 0.2:
        changed[str(random.choice((*_SCALARS, key + "x")))] = changed.pop(key)
    elif chance < 0.3:
        changed[key] = changed[random.choice(list(changed))]
    else:
        changed[key] = json_value(changed[key], random, depth + 1)
    return changed


def _other(value: Any, random: Random) -> Any:
    if isinstance(value, int) and random.random() < 0.5:
        return value + random.choice((-1, 1, 2, 8, 2**31, 2**63))
    if isinstance(value, str) and random.random() < 0.5:
        return value[: random.randrange(len(value) + 1)] + random.choice(("", ".", "\u202e", "0", value, "_", "\n", "-1"))
    if random.random() < 0.05:
        nested: Any = value
        for _ in range(random.choice((15, 66, 2000))):
            nested = [nested]
        return nested
    return random.choice(_SCALARS)


def json_text(data: bytes, random: Random) -> bytes:
    """Change a value of a JSON text, or its bytes where it is none."""
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(data)
        for _ in range(random.choice((1, 1, 2, 4))):
            value = json_value(value, random)
        return json.dumps(value, ensure_ascii=random.random() < 0.9).encode("utf-8", "surrogatepass")
    return plain(data, random)


def safetensors(data: bytes, random: Random) -> bytes:
    """Change the header and give it its right length; sometimes the data, too."""
    length = int.from_bytes(data[:8], "little")
    header, rest = data[8 : 8 + length], data[8 + length :]
    if random.random() < 0.1:
        rest = rest + bytes(random.choice((1, 8, 64))) if random.random() < 0.5 else rest[: -random.choice((1, 8))]
    else:
        header = json_text(header, random)
    return struct.pack("<Q", len(header)) + header + rest


def pickle(data: bytes, random: Random) -> bytes:
    """Drop, repeat, move or replace opcodes, or change an argument."""
    try:
        at = [place or 0 for _, _, place in pickletools.genops(data)]
    except Exception:
        return plain(data, random)
    codes = [data[begin:end] for begin, end in zip(at, [*at[1:], len(data)], strict=True)]
    for _ in range(random.choice((1, 1, 2, 3))):
        which, chance = random.randrange(len(codes)), random.random()
        if chance < 0.2:
            codes[which : which + random.choice((1, 2, 5))] = []
        elif chance < 0.4:
            codes[which:which] = codes[which : which + random.choice((1, 3, 9))] * random.choice((1, 1, 40))
        elif chance < 0.6:
            codes[which] = random.choice(codes)
        elif chance < 0.75:
            codes[which] = bytes([random.randrange(256)])
        else:
            codes[which] = codes[which][:1] + edges(codes[which][1:], random) if len(codes[which]) > 1 else codes[which]
        if not codes:
            break
    return b"".join(codes)


def archive(data: bytes, random: Random) -> bytes:
    """Change one record of a ZIP archive and write the archive again; else its bytes."""
    if random.random() < 0.3:
        return plain(data, random)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            records = {info.filename: opened.read(info) for info in opened.infolist()}
        name = random.choice(list(records))
        changed = pickle if name.endswith(".pkl") else plain
        records[name] = changed(records[name], random)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED if random.random() < 0.97 else zipfile.ZIP_DEFLATED) as made:
            for record, raw in records.items():
                made.writestr(zipfile.ZipInfo(record), raw)
        return buffer.getvalue()
    except Exception:
        return plain(data, random)


def varint(value: int) -> bytes:
    """Return a number of a protocol buffer."""
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def protobuf(data: bytes, random: Random, depth: int = 0) -> bytes:
    """Change a field somewhere in a tree of messages; lengths are made right again."""
    fields = _fields(data)
    if not fields or depth > 8:
        return plain(data, random)
    which, chance = random.randrange(len(fields)), random.random()
    number, kind, content = fields[which]
    if chance < 0.1:
        del fields[which]
    elif chance < 0.25:
        fields[which:which] = fields[which : which + 1] * random.choice((1, 1, 30))
    elif chance < 0.3:
        fields[which] = (random.choice((1, 2, 3, 5, 7, 8, 9, 13, 14, number + 1)), kind, content)
    elif kind == 0:
        fields[which] = (number, kind, varint(random.choice(EDGES)))
    elif kind == 2:
        inner = protobuf(content, random, depth + 1) if random.random() < 0.8 else plain(content, random)
        fields[which] = (number, kind, inner)
    else:
        fields[which] = (number, kind, edges(content, random)[: len(content)])
    return b"".join(_written(*field) for field in fields)


def _written(number: int, kind: int, content: bytes) -> bytes:
    return varint(number << 3 | kind) + (varint(len(content)) if kind == 2 else b"") + content


def _fields(data: bytes) -> list[tuple[int, int, bytes]]:
    """Return the fields of a message; none if it is no message."""
    found, at = [], 0
    while at < len(data):
        key, at = _number(data, at)
        kind, begin = key & 7, at
        if kind == 0:
            _, at = _number(data, at)
        elif kind == 2:
            length, begin = _number(data, at)
            at = begin + length
        else:
            at += {1: 8, 5: 4}.get(kind, len(data))
        if at > len(data) or not key >> 3:
            return []
        found.append((key >> 3, kind, data[begin:at]))
    return found


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(data[at : at + 10]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    return 0, len(data) + 1


def lines(data: bytes, random: Random) -> bytes:
    """Repeat, drop, indent or mark a line of a text; else its bytes."""
    if random.random() < 0.4:
        return plain(data, random)
    found = data.split(b"\n")
    at, chance = random.randrange(len(found)), random.random()
    if chance < 0.2:
        del found[at]
    elif chance < 0.4:
        found[at:at] = found[at : at + random.choice((1, 2, 4))] * random.choice((1, 2, 60))
    elif chance < 0.7:
        mark = random.choice(_MARKS)
        found[at] = mark * random.choice((1, 1, 20, 300)) + found[at] if random.random() < 0.5 else found[at] + mark
    else:
        found[at] = found[random.randrange(len(found))]
    return b"\n".join(found)


_MARKS = (
    b" ", b"  ", b"- ", b"? ", b": ", b"[", b"{", b"]", b"}", b", ", b"&a ", b"*a", b"!!python/object/apply:os.system ", b"!<x> ",
    b"| ", b">-", b"'", b'"', b"# ", b"---", b"...", b"%YAML 1.2", b"\t", b"<!--", b"-->", b"```", b"\xef\xbb\xbf",
    b"\xcc\x80\xcc\x96",
)  # fmt: skip
"""What means something in YAML and Markdown, and marks that combine."""


_BY_ENDING: tuple[tuple[str, Mutator], ...] = (
    (".json", json_text),
    (".safetensors", safetensors),
    (".bin", archive),
    (".pt", archive),
    (".onnx", protobuf),
    (".model", protobuf),
    (".md", lines),
    (".yml", lines),
    (".txt", lines),
)


def files(data: bytes, random: Random) -> bytes:
    """Change one of several files by what its name says it is; sometimes a name, or which there are."""
    parts = parted(data)
    if not parts:
        return plain(data, random)
    name, chance = random.choice(list(parts)), random.random()
    if chance < 0.04:
        del parts[name]
    elif chance < 0.08:
        parts[_renamed(name, random)] = parts.pop(name)
    elif chance < 0.1:
        parts[_renamed(name, random)] = parts[name]
    else:
        change: Callable[[bytes, Random], bytes] = next((m for end, m in _BY_ENDING if name.endswith(end)), plain)
        parts[name] = change(parts[name], random)
    return joined(parts)


def _renamed(name: str, random: Random) -> str:
    known = ("config.json", "model.safetensors", "model.onnx", "model-00001-of-00002.safetensors", "README.md", "model.gguf")
    return random.choice((*known, name + "x", name.upper(), name.replace("1", "2"), "pytorch_model.bin", "LICENSE"))
