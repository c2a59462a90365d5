"""The GGUF container (llama.cpp): key-value pairs, tensor descriptions, aligned data.

Own header reader: the one of the `gguf` package trusts counts and lengths. Type numbers and block sizes are that package's.
Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little-endian).
"""

import math
import struct
from collections.abc import Iterator, Mapping

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from tensorguard.errors import quote
from tensorguard.formats.base import Header, TensorInfo
from tensorguard.formats.gguf_values import Cursor, find_strings, read_pairs
from tensorguard.limits import MAX_DIMENSIONS, MAX_ELEMENTS, MAX_NAME_BYTES, MAX_TENSORS
from tensorguard.sources.base import Source

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_HEAD = struct.Struct("<4sIQQ")
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")
_SMALLEST_TENSOR = 24
"""Bytes of a tensor description with an empty name and no dimensions."""

_DEFAULT_ALIGNMENT = 32
_MAX_ALIGNMENT = 1 << 20
_PLAIN = frozenset({"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8"})

_TYPES: Mapping[int, tuple[str, int, int]] = {
    kind.value: (kind.name if kind.name in _PLAIN else f"GGUF:{kind.name}", *GGML_QUANT_SIZES[kind])
    for kind in GGMLQuantizationType
    if kind in GGML_QUANT_SIZES
}
"""Type number -> (dtype name, elements per block, bytes per block)."""


class Gguf:
    """The format; see `Format`."""

    container = "gguf"
    suffixes = (".gguf",)

    def recognises(self, head: bytes) -> bool:
        """The magic bytes."""
        return head.startswith(_MAGIC)

    def read_header(self, source: Source) -> Header:
        """Parse the header; see `read_gguf`."""
        return read_gguf(source)


def read_gguf(source: Source) -> Header:
    """Parse a file's header, with its tensors in the order it lists them and its keys as the configuration.

    Dimensions are turned into C order. Types that are no plain numbers are called `GGUF:Q4_K` and so on.

    Raises:
        InputError: The file is not GGUF of version 2 or 3, is big-endian or truncated, or its header contradicts itself or is
            over a limit.
    """
    cursor = Cursor(source)
    tensor_count, pair_count = _counts(cursor)
    config = read_pairs(cursor, pair_count)
    alignment = _alignment(config.get("general.alignment", _DEFAULT_ALIGNMENT), cursor)
    if tensor_count > min(MAX_TENSORS, cursor.remaining // _SMALLEST_TENSOR):
        cursor.refuse(f"it claims {tensor_count} tensors, more than it can hold")
    declared = [_tensor(cursor, alignment) for _ in range(tensor_count)]
    start = -(-cursor.position // alignment) * alignment
    tensors = tuple(
        TensorInfo(info.name, info.dtype, info.shape, source, start + info.offset, info.nbytes) for info in declared
    )
    _check_layout(tensors, cursor)
    return Header(tensors, config)


def read_strings(source: Source, key: str) -> Iterator[bytes]:
    """Yield the elements of one of a file's arrays of strings, however long; nothing if there is no such array.

    Raises:
        InputError: The header is malformed up to there, or over a limit.
    """
    cursor = Cursor(source)
    _, pair_count = _counts(cursor)
    yield from find_strings(cursor, pair_count, key)


def _counts(cursor: Cursor) -> tuple[int, int]:
    """Read the head of the file: how many tensors and pairs it claims to have."""
    magic, version, tensor_count, pair_count = cursor.pair(_HEAD)
    if magic != _MAGIC:
        cursor.refuse("no GGUF: the magic bytes are missing")
    if version not in _VERSIONS:
        swapped = version >> 24 in _VERSIONS and not version & 0xFFFFFF
        cursor.refuse(
            "big-endian GGUF is not supported" if swapped else f"GGUF version {version} is not supported, only 2 and 3"
        )
    return tensor_count, pair_count


def _alignment(value: object, cursor: Cursor) -> int:
    if type(value) is not int or not 0 < value <= _MAX_ALIGNMENT or value & (value - 1):
        cursor.refuse(f"its alignment {quote(value)} is not a power of two up to {_MAX_ALIGNMENT}")
    return value


def _tensor(cursor: Cursor, alignment: int) -> TensorInfo:
    """Read one tensor description; the offset is still relative to where the data begins."""
    name = cursor.text("a tensor's name", MAX_NAME_BYTES)
    count = cursor.scalar(_U32)
    if count > MAX_DIMENSIONS:
        cursor.refuse(f"tensor {quote(name)} has {count} dimensions, more than the {MAX_DIMENSIONS} allowed")
    dimensions = [cursor.scalar(_U64) for _ in range(count)]
    kind, offset = cursor.scalar(_U32), cursor.scalar(_U64)
    if kind not in _TYPES:
        cursor.refuse(f"tensor {quote(name)} has type {kind}, which is not known")
    dtype, elements, size = _TYPES[kind]
    if (dimensions[0] if dimensions else 1) % elements:
        cursor.refuse(f"tensor {quote(name)} has rows that are no whole number of {dtype} blocks of {elements}")
    if offset % alignment:
        cursor.refuse(
            f"tensor {quote(name)} begins at byte {offset} of the data, which is no multiple of the alignment {alignment}"
        )
    total = math.prod(dimension or 1 for dimension in dimensions)
    if total > MAX_ELEMENTS:
        cursor.refuse(f"tensor {quote(name)} has more than 2^63 elements")
    nbytes = 0 if 0 in dimensions else total // elements * size
    return TensorInfo(name, dtype, tuple(reversed(dimensions)), cursor.source, offset, nbytes)


def _check_layout(tensors: tuple[TensorInfo, ...], cursor: Cursor) -> None:
    """Check that names are unique and no tensor overlaps another or lies outside the file."""
    names: set[str] = set()
    for info in tensors:
        if info.name in names:
            cursor.refuse(f"it has the tensor {quote(info.name)} twice")
        names.add(info.name)
    reached = 0
    for info in sorted(tensors, key=lambda t: (t.offset, t.nbytes)):
        if info.offset < reached:
            cursor.refuse(f"tensor {quote(info.name)} overlaps the one before it")
        reached = info.offset + info.nbytes
        if reached > cursor.source.size:
            cursor.refuse(f"truncated: tensor {quote(info.name)} ends at byte {reached} of {cursor.source.size}")
