"""The safetensors container: 8 bytes of header length, a JSON header, the tensors end to end.

Own parser, because the header is untrusted and is wanted without its data; what it accepts, the reference parser accepts too
(https://github.com/huggingface/safetensors#format; tested). It refuses more: duplicate names, odd names, too many dimensions.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple, NoReturn

from tensorguard.errors import InputError, quote
from tensorguard.formats.base import DAMAGED, Header, TensorInfo
from tensorguard.formats.json_text import parse_object
from tensorguard.limits import MAX_DIMENSIONS, MAX_ELEMENTS, MAX_HEADER_BYTES, MAX_NAME_BYTES, MAX_TENSORS
from tensorguard.sources.base import Source

BITS: Mapping[str, int] = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I8", "U8", "BOOL"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}
"""Every dtype of the reference implementation and the bits of one element; not all of them can be decoded."""

_LENGTH_BYTES = 8
_FIRST = 64
"""Bytes of a header that are looked at before all of it is read."""

_METADATA = "__metadata__"


class _Entry(NamedTuple):
    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class _FaultError(Exception):
    """What is wrong with one tensor; which tensor, and of which file, is said where it is caught."""


class Safetensors:
    """The format; see `Format`."""

    container = "safetensors"
    suffixes = (".safetensors",)

    def recognises(self, head: bytes) -> bool:
        """A plausible header length, then the start of a JSON object."""
        plausible = int.from_bytes(head[:_LENGTH_BYTES], "little") <= MAX_HEADER_BYTES
        return plausible and head[_LENGTH_BYTES:].lstrip().startswith(b"{")

    def read_header(self, source: Source) -> Header:
        """Parse the header; see `read_safetensors`."""
        return read_safetensors(source)


def read_safetensors(source: Source) -> Header:
    """Parse a file's header, with its tensors in the order the header lists them.

    Raises:
        InputError: The file is not safetensors, is truncated, or its header contradicts itself or is over a limit.
    """
    where, length = source.name, _header_length(source)
    start = _LENGTH_BYTES + length
    if not source.read_at(_LENGTH_BYTES, min(length, _FIRST)).tobytes().strip().startswith(b"{"):
        length = min(length, _FIRST)  # no JSON object: to say so, 100 MB of zeros need not be read
    header = parse_object(source.read_at(_LENGTH_BYTES, length).tobytes(), "the header", where)
    metadata = _metadata(header.pop(_METADATA, None), where)
    if len(header) > MAX_TENSORS:
        _refuse(where, f"it declares {len(header)} tensors, more than the {MAX_TENSORS} allowed")
    entries = [_entry(name, value, where) for name, value in header.items()]
    _check_layout(entries, source.size - start, where)
    tensors = tuple(TensorInfo(e.name, e.dtype, e.shape, source, start + e.begin, e.end - e.begin) for e in entries)
    return Header(tensors, metadata=metadata)


def _header_length(source: Source) -> int:
    if source.size < _LENGTH_BYTES:
        _refuse(source.name, f"its {source.size} bytes are too few for a safetensors file")
    length = int.from_bytes(source.read_at(0, _LENGTH_BYTES).tobytes(), "little")
    if length > MAX_HEADER_BYTES:
        _refuse(source.name, f"the header claims {length} bytes, more than the {MAX_HEADER_BYTES} allowed: not safetensors")
    if length > source.size - _LENGTH_BYTES:
        _refuse(source.name, f"the header claims {length} bytes, but only {source.size - _LENGTH_BYTES} follow")
    return length


def _metadata(value: object, where: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        _refuse(where, "the header's metadata is not a map from text to text")
    return value


def _entry(name: str, value: object, where: str) -> _Entry:
    """Check one tensor for itself: its fields, their types, and that shape and dtype take the bytes it claims."""
    try:
        dtype, shape, begin, end = _fields(value)
        if len(name.encode("utf-8")) > MAX_NAME_BYTES:
            raise _FaultError(f"has a name longer than {MAX_NAME_BYTES} bytes")
        bits = _elements(shape) * BITS[dtype]
        if bits % 8 or bits // 8 != end - begin:
            raise _FaultError(f"needs {bits / 8:g} bytes for {dtype} {list(shape)}, but its offsets span {end - begin}")
    except _FaultError as fault:
        _refuse(where, f"tensor {quote(name)} {fault}")
    return _Entry(name, dtype, shape, begin, end)


def _fields(value: object) -> tuple[str, tuple[int, ...], int, int]:
    """Return a tensor's dtype, shape, first byte and the byte after its last, each checked for itself."""
    if not isinstance(value, dict):
        raise _FaultError("is not described by a JSON object")
    for key in ("dtype", "shape", "data_offsets"):
        if key not in value:
            raise _FaultError(f"lacks {key!r}")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str):
        raise _FaultError("has a dtype that is not text")
    if dtype not in BITS:
        raise _FaultError(f"has dtype {quote(dtype)}, which safetensors does not know")
    for key, numbers in (("shape", shape), ("data_offsets", offsets)):
        if not isinstance(numbers, list) or not all(type(n) is int and 0 <= n <= MAX_ELEMENTS for n in numbers):
            raise _FaultError(f"has a {key!r} that is not a list of integers from 0 to 2^63 - 1")
    if len(shape) > MAX_DIMENSIONS:
        raise _FaultError(f"has {len(shape)} dimensions, more than the {MAX_DIMENSIONS} allowed")
    if len(offsets) != 2:
        raise _FaultError(f"has {len(offsets)} data offsets instead of 2")
    if offsets[1] < offsets[0]:
        raise _FaultError(f"ends at byte {offsets[1]}, before it begins at byte {offsets[0]}")
    return dtype, tuple(shape), offsets[0], offsets[1]


def _elements(shape: tuple[int, ...]) -> int:
    """Return the number of elements; a dimension of 0 hides no overflow of the others."""
    product = math.prod(extent or 1 for extent in shape)
    if product > MAX_ELEMENTS:
        raise _FaultError("has more than 2^63 elements")
    return 0 if 0 in shape else product


def _check_layout(entries: list[_Entry], available: int, where: str) -> None:
    """Check that the tensors cover the data without gap or overlap, and the file ends where they do."""
    reached = 0
    for entry in sorted(entries, key=lambda e: (e.begin, e.end)):
        if entry.begin != reached:
            fault = "leaves a gap after" if entry.begin > reached else "overlaps"
            _refuse(
                where, f"tensor {quote(entry.name)} begins at byte {entry.begin} and {fault} the one that ends at {reached}"
            )
        reached = entry.end
    if reached > available:
        _refuse(where, f"truncated: its tensors take {reached} bytes, but only {available} follow the header")
    if reached < available:
        _refuse(where, f"{available - reached} bytes follow the last tensor that no tensor owns")


def _refuse(where: str, message: str) -> NoReturn:
    raise InputError(message, where=where, hint=DAMAGED)
