"""The records of a ZIP archive that are stored as they are, found by its central directory and checked against their own headers.

Own reader: the standard library's needs a file where a source may be anywhere, trusts the directory's length, and takes whatever lies
before or behind an archive. Layout: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3 and 4.5.3 (ZIP64).
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from tensorguard.errors import InputError, quote
from tensorguard.formats.base import DAMAGED
from tensorguard.limits import MAX_HEADER_BYTES, MAX_TENSORS
from tensorguard.sources.base import Source
from tensorguard.sources.prefetching import Span, prefetch

_END, _END64, _LOCATOR = struct.Struct("<4s4H2LH"), struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
_CENTRAL, _LOCAL = struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s5H3L2H")
_FULL32 = 0xFFFFFFFF
_ZIP64 = 1
_ENCRYPTED = 1
_METHODS = {8: "Deflate", 9: "Deflate64", 12: "BZIP2", 14: "LZMA", 93: "Zstandard", 95: "XZ"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One record.

    Attributes:
        name: Its path in the archive; untrusted text, never used as a path.
        header: Where its own header begins in the source.
        size: Length of its data in bytes.
    """

    name: str
    header: int
    size: int


def read_directory(source: Source) -> dict[str, Entry]:
    """Return an archive's records by name, in the order of its central directory.

    Raises:
        InputError: The archive is truncated, has bytes in front of or behind it, records that are compressed, encrypted or there
            twice, or records that overlap; or it is over a limit.
    """
    start, length, count = _end_of_directory(source)
    if length > MAX_HEADER_BYTES or count > min(MAX_TENSORS, length // _CENTRAL.size):
        refuse(source, f"its directory claims {count} records in {length} bytes, more than allowed or than it can hold")
    directory = source.read_at(start, length).tobytes()
    entries: dict[str, Entry] = {}
    at = 0
    for _ in range(count):
        entry, at = _entry(source, directory, at)
        if entry.name in entries:
            refuse(source, f"its record {quote(entry.name)} is there twice")
        entries[entry.name] = entry
    if at != length:
        refuse(source, f"{length - at} bytes of its directory belong to no record")
    _check_layout(source, entries, start)
    return entries


def data_offset(source: Source, entry: Entry) -> int:
    """Return where a record's data begins, by its own header.

    Raises:
        InputError: That header is not there or is another record's, or the data would end outside the source.
    """
    if entry.header + _LOCAL.size > source.size:
        refuse(source, f"its record {quote(entry.name)} begins outside the file")
    fields = _unpack(source, _LOCAL, entry.header)
    magic, flags, method, name_length, extra_length = fields[0], fields[2], fields[3], fields[9], fields[10]
    name_at = entry.header + _LOCAL.size
    begin: int = name_at + name_length + extra_length
    if magic != b"PK\x03\x04" or method or flags & _ENCRYPTED or begin + entry.size > source.size:
        refuse(source, f"its record {quote(entry.name)} is not where its directory says")
    if source.read_at(name_at, name_length).tobytes() != entry.name.encode("utf-8"):
        refuse(source, f"its record {quote(entry.name)} has another name in its own header")
    return begin


def prefetch_headers(source: Source, entries: Iterable[Entry]) -> None:
    """Fetch records' own headers all at once, if they are on a server; see `data_offset`."""
    prefetch(Span(source, e.header, min(_LOCAL.size + len(e.name.encode("utf-8")), source.size - e.header)) for e in entries)


def refuse(source: Source, message: str) -> NoReturn:
    """Raise the error that this archive deserves."""
    raise InputError(message, where=source.name, hint=DAMAGED)


def _unpack(source: Source, layout: struct.Struct, at: int) -> tuple[Any, ...]:
    return layout.unpack(source.read_at(at, layout.size).tobytes())


def _end_of_directory(source: Source) -> tuple[int, int, int]:
    """Return the central directory's begin, length and number of records; it has to end where its end record begins."""
    end = source.size - _END.size
    if end < 0:
        refuse(source, f"its {source.size} bytes are too few for a ZIP archive")
    magic, disk, first, here, count, length, start, comment = _unpack(source, _END, end)
    if magic != b"PK\x05\x06" or comment:
        refuse(source, "truncated, or something follows it: a ZIP archive ends with its directory")
    located = end - _LOCATOR.size
    if located >= 0 and (locator := _unpack(source, _LOCATOR, located))[0] == b"PK\x06\x07":
        end = located - _END64.size
        if locator[2] != end or end < 0:
            refuse(source, "its ZIP64 directory is not where it says")
        magic, _, _, _, disk, first, here, count, length, start = _unpack(source, _END64, end)
        if magic != b"PK\x06\x06":
            refuse(source, "its ZIP64 directory is not where it says")
    if disk or first or here != count:
        refuse(source, "a part of a ZIP archive in several files")
    if start + length != end:
        refuse(source, f"its directory claims bytes {start} to {start + length}, but would have to end at byte {end}")
    return start, length, count


def _entry(source: Source, directory: bytes, at: int) -> tuple[Entry, int]:
    """Return the record described at this place of the directory, and where the next one begins."""
    if at + _CENTRAL.size > len(directory):
        refuse(source, "its directory ends within a record")
    fields = _CENTRAL.unpack_from(directory, at)
    magic, flags, method, packed, size = fields[0], fields[3], fields[4], fields[8], fields[9]
    name_length, extra_length, comment_length, header = fields[10], fields[11], fields[12], fields[16]
    name_end = at + _CENTRAL.size + name_length
    extra_end = name_end + extra_length
    if magic != b"PK\x01\x02" or extra_end + comment_length > len(directory):
        refuse(source, "its directory is damaged")
    try:
        name = directory[at + _CENTRAL.size : name_end].decode("utf-8")
    except UnicodeDecodeError:
        refuse(source, "its directory has a name that is not UTF-8")
    if method:
        refuse(source, f"its record {quote(name)} is compressed ({_METHODS.get(method, method)}): only stored records are read")
    if flags & _ENCRYPTED:
        refuse(source, f"its record {quote(name)} is encrypted")
    if _FULL32 in (packed, size, header):
        size, packed, header = _zip64(directory[name_end:extra_end], size, packed, header)
    if packed != size:
        refuse(source, f"its record {quote(name)} is said to be stored, but has two sizes: {packed} and {size}")
    return Entry(name, header, size), extra_end + comment_length


def _zip64(extra: bytes, *small: int) -> list[int]:
    """Return the numbers with those that did not fit 32 bits taken from the extra field; what is missing there stays too large."""
    wide: list[int] = []
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == _ZIP64 and at + 4 + length <= len(extra):
            wide = list(struct.unpack_from(f"<{length // 8}Q", extra, at + 4))
            break
        at += 4 + length
    return [wide.pop(0) if number == _FULL32 and wide else number for number in small]


def _check_layout(source: Source, entries: Mapping[str, Entry], end: int) -> None:
    """Check that no record begins within another and none reaches into the directory."""
    reached = 0
    for entry in sorted(entries.values(), key=lambda e: e.header):
        if entry.header < reached:
            refuse(source, f"its record {quote(entry.name)} overlaps the one before it")
        reached = entry.header + _LOCAL.size + len(entry.name.encode("utf-8")) + entry.size
        if reached > end:
            refuse(source, f"truncated: its record {quote(entry.name)} does not end before the directory")
