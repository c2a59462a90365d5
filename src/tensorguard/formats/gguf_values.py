"""GGUF's key-value section: a cursor that never trusts a length, and the typed values behind it.

Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little-endian).
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from tensorguard.errors import InputError, quote
from tensorguard.formats.base import DAMAGED
from tensorguard.limits import MAX_HEADER_BYTES, MAX_METADATA_ENTRIES, MAX_NAME_BYTES, MAX_NESTING
from tensorguard.sources.base import Source
from tensorguard.sources.prefetching import Span, prefetch

_SCALARS: Mapping[int, struct.Struct] = {
    kind: struct.Struct("<" + code)
    for kind, code in {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}.items()
}
"""Value type -> layout, in the numbering of the specification."""

_STRING, _ARRAY = 8, 9
_LENGTH = struct.Struct("<Q")
_ARRAY_HEAD = struct.Struct("<IQ")
_SMALLEST = {_STRING: _LENGTH.size, _ARRAY: _ARRAY_HEAD.size}
_SMALLEST_PAIR = 13
"""Bytes of a pair with an empty key and a one-byte value."""

_KEPT = 1024
"""Longest array that is kept; of longer ones (vocabularies) the length is all that is wanted."""

_MAX_WALKED = 4 * MAX_METADATA_ENTRIES
"""Most elements of all arrays together that have to be read one by one: strings, nested arrays, and what is kept."""

_WINDOW = 1 << 20


class Cursor:
    """Reads forward through a header, one window of bytes at a time."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._window = b""
        self._start = 0
        self._at = 0
        self._end = min(source.size, MAX_HEADER_BYTES)
        self._walked = 0

    @property
    def position(self) -> int:
        """Offset in the source of what is read next."""
        return self._start + self._at

    @property
    def remaining(self) -> int:
        """Bytes that the header may still take."""
        return self._end - self.position

    def refuse(self, message: str) -> NoReturn:
        """Raise the error that this file deserves."""
        raise InputError(message, where=self.source.name, hint=DAMAGED)

    def take(self, length: int) -> bytes:
        """Return the next `length` bytes."""
        begin = self._need(length)
        return self._window[begin : self._at]

    def scalar(self, layout: struct.Struct) -> Any:
        """Return one number of this layout."""
        begin = self._need(layout.size)
        return layout.unpack_from(self._window, begin)[0]

    def pair(self, layout: struct.Struct) -> tuple[Any, ...]:
        """Return all numbers of this layout."""
        begin = self._need(layout.size)
        return layout.unpack_from(self._window, begin)

    def text(self, what: str, longest: int = MAX_HEADER_BYTES) -> str:
        """Return a string: its length, then UTF-8."""
        length = self.scalar(_LENGTH)
        if length > min(longest, self.remaining):
            self.refuse(f"{what} claims {length} bytes, but at most {min(longest, self.remaining)} are possible")
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError:
            self.refuse(f"{what} is not UTF-8")

    def skip(self, length: int) -> None:
        """Pass over bytes, without reading them if they lie beyond the window."""
        if length > self.remaining:
            self._truncated(length)
        self._at += length

    def skip_strings(self, count: int) -> None:
        """Pass over the strings of an array."""
        for _ in range(count):
            self.skip(self.scalar(_LENGTH))

    def walk(self, count: int) -> None:
        """Count elements that are to be walked one by one, up to the limit."""
        self._walked += count
        if count > MAX_METADATA_ENTRIES or self._walked > _MAX_WALKED:
            self.refuse(f"its arrays hold more elements to be read one by one than the {MAX_METADATA_ENTRIES} allowed")

    def _need(self, length: int) -> int:
        """Make the window hold the next `length` bytes, pass them, and return where in the window they begin."""
        if self._at + length > len(self._window):
            if length > self.remaining:
                self._truncated(length)
            self._start, self._at = self.position, 0
            wanted = min(max(length, _WINDOW), self._end - self._start)
            prefetch([Span(self.source, self._start, wanted)])  # which keeps it: the vocabulary is looked for later
            self._window = self.source.read_at(self._start, wanted).tobytes()
        begin = self._at
        self._at += length
        return begin

    def _truncated(self, length: int) -> NoReturn:
        reason = f"larger than the {MAX_HEADER_BYTES} bytes allowed" if self._end < self.source.size else "truncated"
        self.refuse(f"its header is {reason}: {length} bytes are wanted at byte {self.position}, {self.remaining} are left")


def read_pairs(cursor: Cursor, count: int) -> dict[str, Any]:
    """Read the key-value pairs.

    Returns:
        Key -> number, text, or list. An array of more than 1024 elements is left out; its length stands under `KEY.length`.

    Raises:
        InputError: A count, length or type is impossible, a key comes twice, or a limit is passed.
    """
    if count > min(MAX_METADATA_ENTRIES, cursor.remaining // _SMALLEST_PAIR):
        cursor.refuse(f"it claims {count} key-value pairs, more than it can hold")
    config: dict[str, Any] = {}
    seen: set[str] = set()
    for _ in range(count):
        key = cursor.text("a key", MAX_NAME_BYTES)
        if key in seen:
            cursor.refuse(f"it has the key {quote(key)} twice")
        seen.add(key)
        kind = cursor.scalar(_SCALARS[4])
        if kind == _ARRAY:
            length, values = _array(cursor, key, 1)
            config |= {key: values} if values is not None else {f"{key}.length": length}
        else:
            config[key] = _value(cursor, kind, key)
    return config


def find_strings(cursor: Cursor, count: int, wanted: str) -> Iterator[bytes]:
    """Yield the elements of the array of strings under one key, whatever its length; nothing if there is none.

    Args:
        cursor: Where the first of the pairs begins.
        count: How many pairs there are.
        wanted: The key.

    Raises:
        InputError: See `read_pairs`.
    """
    for _ in range(count):
        key, kind = cursor.text("a key", MAX_NAME_BYTES), cursor.scalar(_SCALARS[4])
        if kind != _ARRAY:
            _value(cursor, kind, key)
        elif key != wanted:
            _array(cursor, key, 1)
        else:
            kind, length = cursor.pair(_ARRAY_HEAD)
            if kind == _STRING:
                cursor.walk(length)
                for _ in range(length):
                    yield cursor.take(cursor.scalar(_LENGTH))
            return


def _value(cursor: Cursor, kind: int, key: str) -> Any:
    if kind == _STRING:
        return cursor.text("the value of a key")
    if kind not in _SCALARS:
        cursor.refuse(f"the key {quote(key)} has the unknown type {kind}")
    return cursor.scalar(_SCALARS[kind])


def _array(cursor: Cursor, key: str, depth: int) -> tuple[int, list[Any] | None]:
    """Return an array's length, and its elements if they are few."""
    kind, count = cursor.pair(_ARRAY_HEAD)
    if kind not in _SCALARS and kind not in _SMALLEST:
        cursor.refuse(f"the array {quote(key)} has elements of the unknown type {kind}")
    smallest = _SCALARS[kind].size if kind in _SCALARS else _SMALLEST[kind]
    if count * smallest > cursor.remaining:
        cursor.refuse(f"the array {quote(key)} claims {count} elements, more than the file can hold")
    if kind == _ARRAY:
        if depth >= MAX_NESTING:
            cursor.refuse(f"the array {quote(key)} is nested more than {MAX_NESTING} deep")
        cursor.walk(count)
        nested = [_array(cursor, key, depth + 1)[1] for _ in range(count)]
        return count, nested if count <= _KEPT and None not in nested else None
    if kind == _STRING or count <= _KEPT:
        cursor.walk(count)
    if count <= _KEPT:
        return count, [_value(cursor, kind, key) for _ in range(count)]
    if kind == _STRING:
        cursor.skip_strings(count)
    else:
        cursor.skip(count * smallest)
    return count, None
