"""Hostile and damaged files: name -> (bytes, a part of the one error they deserve)."""

import json
import struct

from support.containers import (
    ARRAY,
    STRING,
    U8,
    U32,
    array,
    entry,
    gguf_bytes,
    gguf_tensor,
    pair,
    safetensors_bytes,
    text,
)

F32 = entry("F32", [2], 0, 8)
HUGE = 2**62
DEEP = b'{"t": ' + b"[" * 100_000


def _tensor(**changes: object) -> bytes:
    return safetensors_bytes({"t": F32 | changes}, bytes(8))


def _two(first: tuple[int, int], second: tuple[int, int], data: int) -> bytes:
    header = {"a": entry("U8", [first[1] - first[0]], *first), "b": entry("U8", [second[1] - second[0]], *second)}
    return safetensors_bytes(header, bytes(data))


VALID = safetensors_bytes({"t": F32}, bytes(8))

SAFETENSORS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "too few"),
    "seven bytes": (bytes(7), "too few"),
    "zeros": (bytes(64), "not JSON"),
    "header longer than the file": (safetensors_bytes({"t": F32}, bytes(8), length=10_000), "only"),
    "header of 2^63 bytes": (safetensors_bytes({"t": F32}, bytes(8), length=2**63), "more than the"),
    "header of 2^64 - 1 bytes": (safetensors_bytes({"t": F32}, bytes(8), length=2**64 - 1), "more than the"),
    "header of 100 MB and a byte": (safetensors_bytes({"t": F32}, bytes(8), length=100_000_001), "more than the"),
    "header cut in the middle": (safetensors_bytes({"t": F32}, bytes(8), length=20), "not JSON"),
    "not UTF-8": (safetensors_bytes(b'{"\xff": {}}'), "not UTF-8"),
    "half a surrogate": (safetensors_bytes(b'{"\\ud800": ' + json.dumps(F32).encode() + b"}", bytes(8)), "surrogate"),
    "byte order mark": (safetensors_bytes(b"\xef\xbb\xbf{}"), "not JSON"),
    "a list": (safetensors_bytes(b"[1, 2]"), "not a JSON object"),
    "a number": (safetensors_bytes(b"7"), "not a JSON object"),
    "NaN": (safetensors_bytes(b'{"t": NaN}'), "not JSON"),
    "number out of range": (safetensors_bytes(b'{"t": 1e999}'), "out of range"),
    "number of 10000 digits": (safetensors_bytes(b'{"t": ' + b"9" * 10_000 + b"}"), "out of range"),
    "nested 100000 deep": (safetensors_bytes(DEEP), "nested"),
    "nested 100 deep": (safetensors_bytes(b'{"t": ' + b"[" * 100 + b"]" * 100 + b"}"), "nested"),
    "raw control character": (safetensors_bytes(b'{"a\tb": 1}'), "not JSON"),
    "tensor twice": (safetensors_bytes(b'{"t": %s, "t": %s}' % ((json.dumps(F32).encode(),) * 2), bytes(8)), "'t' twice"),
    "field twice": (safetensors_bytes(b'{"t": {"dtype": "F32", "dtype": "F32"}}'), "'dtype' twice"),
    "metadata twice": (safetensors_bytes(b'{"__metadata__": {}, "__metadata__": {}}'), "twice"),
    "metadata not text": (safetensors_bytes({"__metadata__": {"a": 1}}), "metadata"),
    "metadata nested": (safetensors_bytes({"__metadata__": {"a": {}}}), "metadata"),
    "metadata a list": (safetensors_bytes({"__metadata__": []}), "metadata"),
    "tensor is a list": (safetensors_bytes({"t": ["F32", [2], [0, 8]]}, bytes(8)), "not described by"),
    "tensor is null": (safetensors_bytes({"t": None}), "not described by"),
    "no dtype": (safetensors_bytes({"t": {"shape": [2], "data_offsets": [0, 8]}}, bytes(8)), "lacks 'dtype'"),
    "no shape": (safetensors_bytes({"t": {"dtype": "F32", "data_offsets": [0, 8]}}, bytes(8)), "lacks 'shape'"),
    "no offsets": (safetensors_bytes({"t": {"dtype": "F32", "shape": [2]}}, bytes(8)), "lacks 'data_offsets'"),
    "unknown dtype": (_tensor(dtype="F31"), "'F31'"),
    "dtype in lower case": (_tensor(dtype="f32"), "'f32'"),
    "dtype a number": (_tensor(dtype=32), "dtype that is not text"),
    "dtype a terminal's colours": (_tensor(dtype="\x1b[31mF32\u202e"), r"\x1b[31mF32\u202e"),
    "negative dimension": (_tensor(shape=[-2]), "'shape'"),
    "two negative dimensions": (_tensor(shape=[-1, -2]), "'shape'"),
    "fractional dimension": (_tensor(shape=[2.0]), "'shape'"),
    "boolean dimension": (_tensor(shape=[True, 2]), "'shape'"),
    "textual dimension": (_tensor(shape=["2"]), "'shape'"),
    "dimension of 2^64": (_tensor(shape=[2**64]), "'shape'"),
    "shape not a list": (_tensor(shape=2), "'shape'"),
    "shape overflows": (_tensor(shape=[2**32, 2**32, 2]), "2^63"),
    "shape overflows to zero": (_tensor(shape=[2**62, 4]), "2^63"),
    "overflow hidden by a zero": (_tensor(shape=[2**62, 2**62, 0], data_offsets=[0, 0]), "2^63"),
    "nine dimensions": (_tensor(shape=[1] * 8 + [2]), "9 dimensions"),
    "100000 dimensions": (_tensor(shape=[1] * 100_000), "100000 dimensions"),
    "three offsets": (_tensor(data_offsets=[0, 8, 8]), "3 data offsets"),
    "offsets the wrong way": (_tensor(data_offsets=[8, 0]), "before it begins"),
    "offsets that do not match": (_tensor(data_offsets=[0, 4]), "span 4"),
    "offsets of 2^62": (_tensor(shape=[2**60], data_offsets=[0, 2**62]), "truncated"),
    "fractional offset": (_tensor(data_offsets=[0, 8.0]), "'data_offsets'"),
    "negative offset": (_tensor(data_offsets=[-8, 0]), "'data_offsets'"),
    "gap at the start": (_tensor(data_offsets=[8, 16]), "gap"),
    "gap": (_two((0, 4), (8, 12), 12), "gap"),
    "overlap": (_two((0, 8), (4, 12), 12), "overlaps"),
    "same bytes for two tensors": (_two((0, 8), (0, 8), 8), "overlaps"),
    "truncated": (VALID[:-1], "truncated"),
    "no data": (VALID[:-8], "truncated"),
    "one byte more": (VALID + b"\0", "1 bytes follow"),
    "half a byte": (safetensors_bytes({"t": entry("F4", [3], 0, 1)}, bytes(1)), "1.5 bytes"),
    "name of 5000 bytes": (safetensors_bytes({"n" * 5000: F32}, bytes(8)), "longer than"),
    "name of 2000 astral letters": (safetensors_bytes({"\U0001f600" * 2000: F32}, bytes(8)), "longer than"),
}

_ONE = [gguf_tensor()]
_GGUF = gguf_bytes([pair("k", STRING, text("v"))], _ONE, 128)

GGUF: dict[str, tuple[bytes, str]] = {
    "magic alone": (b"GGUF", "truncated"),
    "cut in the counts": (_GGUF[:20], "truncated"),
    "cut in a value": (_GGUF[:40], "truncated"),
    "cut in a tensor": (_GGUF[:60], "more than it can hold"),
    "data cut": (_GGUF[:-1], "truncated"),
    "version 1": (gguf_bytes(version=1), "version 1"),
    "version 4": (gguf_bytes(version=4), "version 4"),
    "big-endian": (gguf_bytes(order=">"), "big-endian"),
    "2^60 tensors": (gguf_bytes(counts=(2**60, 0)), "tensors, more than"),
    "2^60 pairs": (gguf_bytes(counts=(0, 2**60)), "pairs, more than"),
    "as many tensors as 32 bits hold": (gguf_bytes([], _ONE, 128, counts=(2**32 - 1, 0)), "tensors, more than"),
    "more tensors than there are": (gguf_bytes([], _ONE, 128, counts=(3, 0)), ""),
    "key of 2^62 bytes": (gguf_bytes([struct.pack("<Q", HUGE) + bytes(30)]), "a key claims"),
    "key of 2^64 - 1 bytes": (gguf_bytes([struct.pack("<Q", 2**64 - 1) + bytes(30)]), "a key claims"),
    "key of 5000 bytes": (gguf_bytes([pair("k" * 5000, U8, b"\0")]), "a key claims"),
    "key not UTF-8": (gguf_bytes([pair(b"\xff", U8, b"\0")]), "not UTF-8"),
    "key twice": (gguf_bytes([pair("k", U8, b"\0")] * 2), "'k' twice"),
    "text of 2^62 bytes": (gguf_bytes([pair("k", STRING, struct.pack("<Q", HUGE))]), "value of a key claims"),
    "text not UTF-8": (gguf_bytes([pair("k", STRING, text(b"\xc3\x28"))]), "not UTF-8"),
    "unknown value type": (gguf_bytes([pair("k", 13, bytes(8))]), "unknown type 13"),
    "array of 2^62 bytes": (gguf_bytes([pair("k", ARRAY, array(U8, HUGE))]), "more than the file can hold"),
    "array of 2^62 texts": (gguf_bytes([pair("k", ARRAY, array(STRING, HUGE))]), "more than the file can hold"),
    "array of 2^62 arrays": (gguf_bytes([pair("k", ARRAY, array(ARRAY, HUGE))]), "more than the file can hold"),
    "array of an unknown type": (gguf_bytes([pair("k", ARRAY, array(99, 1))]), "unknown type 99"),
    "array nested 1000 deep": (gguf_bytes([pair("k", ARRAY, array(ARRAY, 1) * 1000)]), "nested"),
    "text in an array of 2^62 bytes": (
        gguf_bytes([pair("k", ARRAY, array(STRING, 2000, struct.pack("<Q", HUGE) + bytes(20_000)))]),
        "truncated",
    ),
    "alignment 0": (gguf_bytes([pair("general.alignment", U32, bytes(4))]), "alignment '0'"),
    "alignment 24": (gguf_bytes([pair("general.alignment", U32, struct.pack("<I", 24))]), "alignment '24'"),
    "alignment 2^31": (gguf_bytes([pair("general.alignment", U32, struct.pack("<I", 2**31))]), "alignment"),
    "alignment a text": (gguf_bytes([pair("general.alignment", STRING, text("32"))]), "alignment '32'"),
    "tensor name of 2^62 bytes": (gguf_bytes([], [struct.pack("<Q", HUGE) + bytes(24)]), "name claims"),
    "tensor name of 5000 bytes": (gguf_bytes([], [gguf_tensor("n" * 5000)], 128), "name claims"),
    "tensor name not UTF-8": (gguf_bytes([], [gguf_tensor(b"\xff")], 128), "not UTF-8"),
    "tensor twice": (gguf_bytes([], [gguf_tensor("t"), gguf_tensor("t", offset=128)], 256), "'t' twice"),
    "2^32 - 1 dimensions": (gguf_bytes([], [text("t") + struct.pack("<I", 2**32 - 1) + bytes(40)]), "dimensions"),
    "dimensions that overflow": (gguf_bytes([], [gguf_tensor(dims=(2**33, 2**33))], 64), "2^63"),
    "overflow hidden by a zero": (gguf_bytes([], [gguf_tensor(dims=(0, 2**33, 2**33))], 64), "2^63"),
    "unknown tensor type": (gguf_bytes([], [gguf_tensor(kind=4)], 128), "type 4"),
    "tensor type of 2^32 - 1": (gguf_bytes([], [gguf_tensor(kind=2**32 - 1)], 128), "not known"),
    "rows of half blocks": (gguf_bytes([], [gguf_tensor(dims=(48, 2), kind=2)], 128), "whole number"),
    "a quantised scalar": (gguf_bytes([], [gguf_tensor(dims=(), kind=2)], 128), "whole number"),
    "offset not aligned": (gguf_bytes([], [gguf_tensor(offset=16)], 256), "alignment 32"),
    "offset beyond the file": (gguf_bytes([], [gguf_tensor(offset=2**40)], 128), "truncated"),
    "offset of 2^64 - 32": (gguf_bytes([], [gguf_tensor(offset=2**64 - 32)], 128), "truncated"),
    "overlap": (gguf_bytes([], [gguf_tensor("t"), gguf_tensor("u", offset=64)], 256), "overlaps"),
    "larger than the file": (gguf_bytes([], [gguf_tensor(dims=(2**40,))], 128), "truncated"),
}
