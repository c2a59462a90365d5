"""Protocol buffers on the wire, walked without reading what lies between: fields of a message, each a number or a range of bytes.

Own reader, because a message of gigabytes is walked for the few fields that say where its values lie.
Encoding: https://protobuf.dev/programming-guides/encoding/.
"""

from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from tensorguard.errors import InputError
from tensorguard.formats.base import DAMAGED
from tensorguard.limits import MAX_PROTOBUF_FIELDS
from tensorguard.sources.base import Source

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED = {FIXED64: 8, FIXED32: 4}
_WINDOW, _JUMPED = 1 << 16, 1 << 10
"""Bytes that are read ahead, at most, and first after a jump over a tensor's values."""

_LONGEST = 10
"""Bytes of the longest varint."""


class Field(NamedTuple):
    """One field of a message.

    Attributes:
        number: Which field.
        kind: Its wire type: `VARINT`, `FIXED64`, `BYTES` or `FIXED32`.
        value: The number of a varint, from 0 to 2^64 - 1; else 0.
        begin: First byte of its content in the source.
        end: The byte after its last.
    """

    number: int
    kind: int
    value: int
    begin: int
    end: int

    @property
    def signed(self) -> int:
        """The varint as the two's complement that int32 and int64 are written in."""
        return self.value - (self.value >> 63 << 64)


class Wire:
    """A source read as messages; the fields of all of them together are counted."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._window, self._start, self._ahead = b"", 0, _WINDOW
        self._left = MAX_PROTOBUF_FIELDS

    def fields(self, begin: int, end: int) -> Iterator[Field]:
        """Yield the fields of the message in these bytes, in file order.

        Raises:
            InputError: A field does not end where the message does, is of no known type, or there are too many.
        """
        at = begin
        while at < end:
            self._left -= 1
            if self._left < 0:
                self.refuse(f"it has more than the {MAX_PROTOBUF_FIELDS} fields allowed")
            key, at = self._varint(at, end)
            number, kind = key >> 3, key & 7
            value = 0
            if kind == VARINT:
                start = at
                value, at = self._varint(at, end)
            elif kind == BYTES:
                length, start = self._varint(at, end)
                at = start + length
            elif kind in _FIXED:
                start, at = at, at + _FIXED[kind]
            else:
                self.refuse(f"at byte {at} is a field of the unknown type {kind}")
            if at > end or not number:
                self.refuse(f"truncated, or no such file: the field at byte {start} does not end within its message")
            yield Field(number, kind, value, start, at)

    def text(self, field: Field, most: int) -> str:
        """Return a field of text.

        Raises:
            InputError: It is longer than `most` bytes or no UTF-8.
        """
        if field.kind != BYTES or field.end - field.begin > most:
            self.refuse(f"a text at byte {field.begin} is longer than the {most} bytes allowed, or no text")
        try:
            return self._bytes(field.begin, field.end - field.begin).decode("utf-8")
        except UnicodeDecodeError:
            self.refuse(f"a text at byte {field.begin} is not UTF-8")

    def integers(self, field: Field, most: int) -> list[int]:
        """Return the signed integers of a repeated field's one occurrence, packed or not.

        Raises:
            InputError: There are more than `most`, or it is damaged.
        """
        if field.kind == VARINT:
            return [field.signed]
        found: list[int] = []
        at = field.begin
        while at < field.end:
            if len(found) == most:
                self.refuse(f"a list at byte {field.begin} has more than the {most} numbers allowed")
            value, at = self._varint(at, field.end)
            found.append(value - (value >> 63 << 64))
        return found

    def refuse(self, message: str) -> NoReturn:
        """Raise the error that this file deserves."""
        raise InputError(message, where=self.source.name, hint=DAMAGED)

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        """Return an unsigned integer of up to 64 bits, and where it ends."""
        raw = self._bytes(at, min(_LONGEST, end - at))
        value = 0
        for index, byte in enumerate(raw):
            value |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF, at + index + 1
        return self.refuse(f"truncated, or no such file: the number at byte {at} has no end")

    def _bytes(self, at: int, length: int) -> bytes:
        offset = at - self._start
        if offset < 0 or offset + length > len(self._window):
            self._ahead = min(4 * self._ahead, _WINDOW) if 0 <= offset <= len(self._window) else _JUMPED
            self._window = self.source.read_at(at, min(max(length, self._ahead), self.source.size - at)).tobytes()
            self._start, offset = at, 0
        return self._window[offset : offset + length]
