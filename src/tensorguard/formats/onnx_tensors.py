"""Tensors of an ONNX file: where their values lie, in the file itself, packed as integers, or in a file beside it.

Messages and field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (`TensorProto`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import InputError, quote
from tensorguard.formats.base import DAMAGED, TensorInfo
from tensorguard.formats.beside import path_beside
from tensorguard.formats.protobuf import BYTES, Field, Wire
from tensorguard.limits import MAX_DIMENSIONS, MAX_ELEMENTS, MAX_NAME_BYTES, MAX_TYPED_BYTES
from tensorguard.sources.base import Source
from tensorguard.sources.remote import Location, place_of, source_at

_DIMS, _TYPE, _SEGMENT, _NAME, _RAW, _EXTERNAL, _PLACE = 1, 2, 3, 8, 9, 13, 14
_FLOATS, _INT32, _INT64, _DOUBLES, _UINT64 = 4, 5, 7, 10, 11
_KEY, _VALUE = 1, 2
_BESIDE = 1
"""`DataLocation.EXTERNAL`."""

_PIECE = 1 << 20
"""Bytes of a list of integers that are decoded at once."""


class _Type(NamedTuple):
    """How a type is called, its bits, and in which field its values may stand that are not raw."""

    dtype: str
    bits: int
    field: int


_TYPES: Mapping[int, _Type] = {
    1: _Type("F32", 32, _FLOATS), 2: _Type("U8", 8, _INT32), 3: _Type("I8", 8, _INT32), 4: _Type("U16", 16, _INT32),
    5: _Type("I16", 16, _INT32), 6: _Type("I32", 32, _INT32), 7: _Type("I64", 64, _INT64), 9: _Type("BOOL", 8, _INT32),
    10: _Type("F16", 16, _INT32), 11: _Type("F64", 64, _DOUBLES), 12: _Type("U32", 32, _UINT64), 13: _Type("U64", 64, _UINT64),
    14: _Type("C64", 64, _FLOATS), 16: _Type("BF16", 16, _INT32), 17: _Type("F8_E4M3", 8, _INT32),
    18: _Type("F8_E4M3FNUZ", 8, _INT32), 19: _Type("F8_E5M2", 8, _INT32), 20: _Type("F8_E5M2FNUZ", 8, _INT32),
    21: _Type("ONNX:UINT4", 4, _INT32), 22: _Type("ONNX:INT4", 4, _INT32), 23: _Type("ONNX:FLOAT4", 4, _INT32),
    24: _Type("F8_E8M0", 8, _INT32), 25: _Type("ONNX:UINT2", 2, _INT32), 26: _Type("ONNX:INT2", 2, _INT32),
}  # fmt: skip
"""`TensorProto.DataType`, what is a number of known size."""


@dataclass(frozen=True)
class PackedIntegers:
    """Integers of variable length as a source of the bytes they stand for; decoded whole when they are first read.

    Attributes:
        source: What they lie in.
        begin: Their first byte there.
        end: The byte after their last.
        count: How many there have to be.
        width: Bytes of one as it is read, little-endian.
    """

    source: Source
    begin: int
    end: int
    count: int
    width: int
    _decoded: list[NDArray[np.uint8]] = field(default_factory=list, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The file they lie in."""
        return self.source.name

    @property
    def size(self) -> int:
        """Bytes they stand for."""
        return self.count * self.width

    @property
    def modified(self) -> int:
        """When the file was last changed."""
        return self.source.modified

    def read_at(self, offset: int, length: int) -> NDArray[np.uint8]:
        """Return exactly `length` bytes from `offset`; see `Source.read_at`."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise InputError(f"bytes {offset} to {offset + length} lie outside the {self.size} of a list", where=self.name)
        if not self._decoded:
            self._decoded.append(self._decode())
        return self._decoded[0][offset : offset + length].copy()

    def _decode(self) -> NDArray[np.uint8]:
        """Decode them a piece at a time: the arrays that this takes are many times as long as the list."""
        found = np.empty((self.count, self.width), np.uint8)
        at, done = self.begin, 0
        while at < self.end:
            raw = self.source.read_at(at, min(_PIECE, self.end - at))
            ends = np.flatnonzero(raw < 0x80) + 1
            if not len(ends):
                raise InputError("a list of integers breaks off in one", where=self.name, hint=DAMAGED)
            if done + len(ends) > self.count:
                self._refuse(done + len(ends))
            found[done : done + len(ends)] = _integers(raw, ends)[:, : self.width]
            at, done = at + int(ends[-1]), done + len(ends)
        if done != self.count:
            self._refuse(done)
        return found.reshape(-1)

    def _refuse(self, count: int) -> NoReturn:
        raise InputError(f"a list of {count} integers instead of {self.count}", where=self.name, hint=DAMAGED)


def _integers(raw: NDArray[np.uint8], ends: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Return integers that end at these places as their 8 bytes each, (integers, 8)."""
    starts = np.concatenate(([0], ends[:-1]))
    values = np.zeros(len(ends), np.uint64)
    for index in range(min(int((ends - starts).max(initial=0)), 10)):
        there = ends - starts > index
        values[there] |= (raw[starts[there] + index].astype(np.uint64) & np.uint64(0x7F)) << np.uint64(7 * index)
    return values.view(np.uint8).reshape(-1, 8)


def read_tensor(wire: Wire, begin: int, end: int, files: dict[Location, Source]) -> TensorInfo | None:
    """Return the tensor whose message lies in these bytes; None if it holds text or is of a type of unknown size.

    Args:
        wire: The model.
        begin: First byte of the message.
        end: The byte after its last.
        files: Files beside the model that have been opened; added to.

    Raises:
        InputError: It is malformed, its values are not as many as its shape asks for, or they lie outside the model's folder.
    """
    dims: list[int] = []
    name, kind, external = "", 0, False
    values: dict[int, list[Field]] = {}
    facts: dict[str, str] = {}
    for part in wire.fields(begin, end):
        if part.number == _DIMS:
            dims += wire.integers(part, MAX_DIMENSIONS)
        elif part.number == _TYPE:
            kind = part.value
        elif part.number == _NAME:
            name = wire.text(part, MAX_NAME_BYTES)
        elif part.number == _PLACE:
            external = part.value == _BESIDE
        elif part.number == _EXTERNAL:
            facts |= _fact(wire, part)
        elif part.number == _SEGMENT:
            wire.refuse(f"tensor {quote(name)} is a part of one: not supported")
        elif part.number in (_RAW, _FLOATS, _INT32, _INT64, _DOUBLES, _UINT64):
            values.setdefault(part.number, []).append(part)
    if kind not in _TYPES:
        return None
    shape, nbytes = _size(wire, name, dims, _TYPES[kind])
    where: Source
    if external:
        where, offset = _external(wire, name, facts, nbytes, files)
    else:
        where, offset = _inside(wire, name, _TYPES[kind], values, nbytes)
    return TensorInfo(name, _TYPES[kind].dtype, shape, where, offset, nbytes)


def _fact(wire: Wire, part: Field) -> dict[str, str]:
    """Return one key and value of what is said about an external file."""
    texts = {each.number: wire.text(each, MAX_NAME_BYTES) for each in wire.fields(part.begin, part.end)}
    return {texts.get(_KEY, ""): texts.get(_VALUE, "")}


def _size(wire: Wire, name: str, dims: list[int], kind: _Type) -> tuple[tuple[int, ...], int]:
    if len(dims) > MAX_DIMENSIONS or any(extent < 0 for extent in dims):
        wire.refuse(f"tensor {quote(name)} has the impossible shape {dims[: MAX_DIMENSIONS + 1]}")
    if math.prod(extent or 1 for extent in dims) > MAX_ELEMENTS:
        wire.refuse(f"tensor {quote(name)} has more than 2^63 elements")
    return tuple(dims), -(-math.prod(dims) * kind.bits // 8)


def _inside(wire: Wire, name: str, kind: _Type, values: Mapping[int, list[Field]], nbytes: int) -> tuple[Source, int]:
    """Return where the values lie that are in the file itself."""
    found = [part for number in (_RAW, kind.field) for part in values.get(number, []) if part.end > part.begin]
    if not nbytes:
        return wire.source, 0
    if len(found) != 1 or found[0].kind != BYTES:
        wire.refuse(f"tensor {quote(name)} has {len(found)} lists of values instead of one")
    part = found[0]
    length = part.end - part.begin
    if part.number in (_INT32, _INT64, _UINT64):
        width = max(1, kind.bits // 8)  # of less than a byte each integer holds a byte's
        if not nbytes // width <= length <= MAX_TYPED_BYTES:
            wire.refuse(f"tensor {quote(name)} has {length} bytes of packed integers, which do not fit its shape")
        return PackedIntegers(wire.source, part.begin, part.end, nbytes // width, width), 0
    if length != nbytes:
        wire.refuse(f"tensor {quote(name)} needs {nbytes} bytes, but has {length}")
    return wire.source, part.begin


def _external(
    wire: Wire, name: str, facts: Mapping[str, str], nbytes: int, files: dict[Location, Source]
) -> tuple[Source, int]:
    """Return where the values lie that are in a file beside the model."""
    place = place_of(wire.source)
    if place is None:
        raise InputError(f"tensor {quote(name)} lies in another file, which is not fetched", where=wire.source.name)
    numbers = {key: facts.get(key, "") or "0" for key in ("offset", "length")}
    if not all(text.isascii() and text.isdigit() and len(text) < 20 for text in numbers.values()):
        wire.refuse(f"tensor {quote(name)} lies at an offset that is no number")
    offset, length = int(numbers["offset"]), int(numbers["length"])
    path = path_beside(place, facts.get("location", ""))
    if not path.is_file():
        hint = "download that file into the same folder"
        raise InputError(f"names the file {quote(path.name)}, which is not there", where=wire.source.name, hint=hint)
    source = files[path] if path in files else files.setdefault(path, source_at(path))
    if (length and length != nbytes) or offset + nbytes > source.size:
        wire.refuse(
            f"tensor {quote(name)} needs bytes {offset} to {offset + nbytes} of {quote(path.name)}, which has {source.size}"
        )
    return source, offset
