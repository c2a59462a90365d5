"""Changes to a registry that many share: what an object of `log/` holds, and which of two changes holds.

A change says what stands under a name and a key from a time on: an entry with all that it is searched by, or nothing. Of several the one
of the latest time holds, and of several of one time the one with the largest digest, so that any order of arrival leads to one state. An
object holds one change or many (`packed`); it is named by its latest time and the digest of its bytes, is never altered, and may be removed
when another holds what it held.
"""

import gzip
import io
import math
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Annotated, NoReturn

import blake3
import msgspec
import numpy as np

from tensorguard.errors import InputError, quote
from tensorguard.limits import MAX_CHANGES_BYTES, MAX_FACT_CHARACTERS
from tensorguard.registry.entry import Entry
from tensorguard.registry.rows import STORED, Row

SCHEMA = "tensorguard/registry-changes/1"
LATEST = 1 << 62
"""No time of a change is as late, in nanoseconds since 1970: the year 2116."""

_NAME = re.compile(r"([0-9a-f]{16})-([0-9a-f]{32})\.json\.gz")
_DIGEST = re.compile("[0-9a-f]{64}")
_LONGEST_VECTOR = 4_096
_MOST_VECTORS = 16
_MOST_DIGESTS = 256
_MOST_FOLDED, _ROOM_TO_UNFOLD = 100, 1_000_000
"""How many times its size an object may unfold to, beside so many bytes: texts of entries take a tenth, and blanks a thousandth."""

_ROOM = MAX_CHANGES_BYTES // 2
"""Bytes, unpacked, of an object that more is put into."""


class Change(msgspec.Struct, frozen=True):
    """What stands under a name and a key from a time on.

    Attributes:
        time: In nanoseconds since 1970, and later than any that its writer had seen.
        name: The entry's name.
        key: Its key.
        entry: The entry; None if it was removed.
        vectors: Unit vectors by basis, little-endian float16.
        digests: That it is searched by.
        layout: Which of its object's layouts is its own; -1 for none.
    """

    time: Annotated[int, msgspec.Meta(ge=0, lt=LATEST)]
    name: str
    key: str
    entry: Entry | None = None
    vectors: dict[str, bytes] = {}
    digests: list[Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]] = []
    layout: int = -1


class _Object(msgspec.Struct, frozen=True):
    schema: str
    layouts: list[str]
    changes: list[Change]


# Made here and once: msgspec may crash where several threads ask for one type for the first time.
_OBJECT = msgspec.json.Decoder(_Object)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Dated(msgspec.Struct, frozen=True):
    """A change as it is applied.

    Attributes:
        name: The entry's name.
        key: Its key.
        stamp: Orders changes as texts do.
        row: What stands there now; None if nothing does.
    """

    name: str
    key: str
    stamp: str
    row: Row | None


def added(time: int, row: Row) -> Dated:
    """Return the change that a row is put in its place by."""
    return _dated(_change(time, row), row.layout)


def removed(time: int, name: str, key: str) -> Dated:
    """Return the change that an entry is removed by."""
    return _dated(Change(time, name, key), "")


def packed(changes: Iterable[Dated], time: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield the names and bytes of objects that hold changes, of each name and key only the one that holds; the same give the same.

    Args:
        changes: In any order.
        time: That the names say if it is later than the changes; what replaces other objects is listed after these.
    """
    holding: dict[tuple[str, str], Dated] = {}
    for each in changes:
        place = (each.name, each.key)
        if place not in holding or holding[place].stamp < each.stamp:
            holding[place] = each
    batch: list[Change] = []
    layouts: dict[str, int] = {}
    size = 0
    for each in sorted(holding.values(), key=lambda each: each.stamp):
        layout = each.row.layout if each.row else ""
        grown = len(layout) if layout not in layouts else 0
        change = _undated(each, layouts.setdefault(layout, len(layouts)) if layout else -1)
        grown += len(msgspec.json.encode(change))
        if batch and size + grown > _ROOM:
            yield _encoded(batch, layouts, time)
            batch, layouts, size = [], {layout: 0} if layout else {}, 0
            change = _undated(each, 0 if layout else -1)
        batch.append(change)
        size += grown
    if batch:
        yield _encoded(batch, layouts, time)


def unpacked(name: str, raw: bytes) -> list[Dated]:
    """Return the changes that an object holds.

    Raises:
        InputError: Its name or bytes are not what a writer makes, or a newer TensorGuard's.
    """
    match = _NAME.fullmatch(name)
    if match is None or _digest(raw) != match[2]:
        _refuse(name, "it is not the object that was put there" if match else "no name of one")
    text = _inflated(name, raw)
    try:
        schema = _FIELDS.decode(text).get("schema", msgspec.Raw(b'""'))
        if bytes(schema) != msgspec.json.encode(SCHEMA):
            raise InputError(
                f"its schema is {quote(bytes(schema).decode())}, not {quote(SCHEMA)}", where=name, hint="update TensorGuard"
            )
        found = _OBJECT.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"is malformed ({quote(error)})", where=name) from error
    for change in found.changes:
        _require_sound(name, change, found.layouts, int(match[1], 16))
    return [_dated(each, found.layouts[each.layout] if each.layout >= 0 else "") for each in found.changes]


def time_of(name: str) -> int | None:
    """Return the latest time that an object of this name may hold, or None if it is no such name."""
    match = _NAME.fullmatch(name)
    return int(match[1], 16) if match and int(match[1], 16) < LATEST else None


def _change(time: int, row: Row) -> Change:
    entry = row.entry
    vectors = {basis: np.ascontiguousarray(vector, STORED).tobytes() for basis, vector in row.vectors.items()}
    return Change(time, entry.name, entry.key, entry, vectors, list(row.digests))


def _dated(change: Change, layout: str) -> Dated:
    """Return a change with its stamp: its time, and a digest of all that it says, wherever it is kept."""
    said = msgspec.json.encode(msgspec.structs.replace(change, layout=-1), order="sorted") + layout.encode()
    stamp = f"{change.time:016x}{_digest(said)}"
    if change.entry is None:
        return Dated(change.name, change.key, stamp, None)
    vectors = {basis: np.frombuffer(raw, STORED) for basis, raw in change.vectors.items()}
    return Dated(change.name, change.key, stamp, Row(change.entry, vectors, tuple(change.digests), layout))


def _undated(each: Dated, layout: int) -> Change:
    time = int(each.stamp[:16], 16)
    if each.row is None:
        return Change(time, each.name, each.key)
    return msgspec.structs.replace(_change(time, each.row), layout=layout)


def _encoded(changes: Sequence[Change], layouts: Iterable[str], time: int) -> tuple[str, bytes]:
    text = msgspec.json.encode(_Object(SCHEMA, [each for each in layouts if each], list(changes)), order="sorted")
    raw = gzip.compress(text, 6, mtime=0)
    return f"{max(time, *(each.time for each in changes)):016x}-{_digest(raw)}.json.gz", raw


def _inflated(name: str, raw: bytes) -> bytes:
    most = min(MAX_CHANGES_BYTES, _ROOM_TO_UNFOLD + _MOST_FOLDED * len(raw))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
            text = file.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError("is malformed (it cannot be unpacked)", where=name) from error
    if len(text) > most:
        _refuse(name, f"it unfolds to more than the {most} bytes allowed")
    return text


def _require_sound(name: str, change: Change, layouts: Sequence[str], latest: int) -> None:
    entry = change.entry
    texts = [change.name, change.key]
    if entry is not None:
        said = [getattr(part, field.name) for part in (entry, entry.facts) for field in fields(part)]
        texts += [*entry.facts.parents, *(text for text in said if isinstance(text, str))]
        if (entry.name, entry.key) != (change.name, change.key) or not _DIGEST.fullmatch(entry.fingerprint):
            _refuse(name, "an entry contradicts its change")
    if not change.name or len(texts) > MAX_FACT_CHARACTERS or max(map(len, texts)) > MAX_FACT_CHARACTERS:
        _refuse(name, "an entry has no name, or a text that is too long")
    if change.time > latest or not -1 <= change.layout < len(layouts) or len(change.digests) > _MOST_DIGESTS:
        _refuse(name, f"the change of {quote(change.name)} makes no sense")
    if len(change.vectors) > _MOST_VECTORS or not all(map(_is_vector, change.vectors.values())):
        _refuse(name, f"a search vector of {quote(change.name)} is malformed")


def _is_vector(raw: bytes) -> bool:
    if not raw or len(raw) % STORED.itemsize or len(raw) > _LONGEST_VECTOR * STORED.itemsize:
        return False
    return math.isfinite(float(np.abs(np.frombuffer(raw, STORED).astype(np.float32)).max()))


def _digest(raw: bytes) -> str:
    return blake3.blake3(raw).hexdigest(length=16)


def _refuse(name: str, reason: str) -> NoReturn:
    raise InputError(f"is malformed ({reason})", where=name)
