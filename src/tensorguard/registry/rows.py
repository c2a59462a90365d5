"""The registry's entries as rows of its database: adding, finding, listing, removing."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import InputError, quote
from tensorguard.registry import layouts, words
from tensorguard.registry.database import Database
from tensorguard.registry.entry import Entry, Facts

LeftOut = Callable[[InputError], None]
"""Hears of a malformed row that is left out."""

STORED = np.dtype("<f2")
"""What vectors are kept as: a cosine is off by less than 1e-4."""

_PAGE = 1_000
_COLUMNS = "name, key, facts, source_digest, fingerprint, specification, origin, verified, added, tool"
msgspec.json.Decoder(Entry)  # now: msgspec 0.22 may crash where several threads ask for one type for the first time


@dataclass(frozen=True, slots=True)
class Row:
    """An entry and what it is searched by.

    Attributes:
        entry: The entry.
        vectors: Unit vectors by basis, float16 or wider.
        digests: Signed 64-bit numbers.
        layout: Of its matrices, see `layouts.layout`; empty if it is not known.
    """

    entry: Entry
    vectors: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)
    digests: tuple[int, ...] = ()
    layout: str = ""


def insert(connection: sqlite3.Connection, row: Row) -> int:
    """Insert a new entry with all that it is searched by; returns its id."""
    entry, facts = row.entry, row.entry.facts
    cursor = connection.execute(
        f"INSERT INTO entry (repository, revision, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (facts.repository, facts.revision, *_values(entry)),
    )
    number = int(cursor.lastrowid or 0)
    for basis, vector in row.vectors.items():
        numbers = np.ascontiguousarray(vector, STORED)
        at = space(connection, entry.key, basis, len(numbers)) or _add_space(connection, entry.key, basis, len(numbers))
        connection.execute("INSERT INTO vector VALUES (?, ?, ?)", (at, number, numbers.tobytes()))
    connection.executemany("INSERT INTO digest VALUES (?, ?)", [(value, number) for value in set(row.digests)])
    words.add(connection, number)
    layouts.add(connection, [(number, row.layout)] if row.layout else [])
    return number


def update(connection: sqlite3.Connection, number: int, entry: Entry) -> None:
    """Say other things of an entry whose fingerprint stays the same."""
    words.remove(connection, number)
    columns = ", ".join(f"{name.strip()} = ?" for name in _COLUMNS.split(","))
    connection.execute(
        f"UPDATE entry SET repository = ?, revision = ?, {columns} WHERE id = ?",  # noqa: S608
        (entry.facts.repository, entry.facts.revision, *_values(entry), number),
    )
    words.add(connection, number)


def delete(connection: sqlite3.Connection, number: int) -> None:
    """Delete an entry and all that it is searched by."""
    words.remove(connection, number)
    connection.execute("DELETE FROM entry WHERE id = ?", (number,))


def stored(connection: sqlite3.Connection, name: str, key: str | None) -> list[tuple[int, str, str]]:
    """Return id, fingerprint and tool of the rows of exactly this name, sound or not."""
    where, values = ("name = ?", (name,)) if key is None else ("name = ? AND key = ?", (name, key))
    found = connection.execute(f"SELECT id, fingerprint, tool FROM entry WHERE {where}", values)  # noqa: S608
    return [(int(number), str(fingerprint), str(tool)) for number, fingerprint, tool in found]


def keys(connection: sqlite3.Connection, name: str) -> list[str]:
    """Return the keys under which there are entries of a name."""
    return [str(key) for (key,) in connection.execute("SELECT key FROM entry WHERE name = ? ORDER BY key", (name,))]


def find(connection: sqlite3.Connection, name: str, key: str) -> Entry | None:
    """Return the entry of a name, or the one added last of a repository, `org/name` or `org/name@revision`.

    Raises:
        InputError: Its row is malformed.
    """
    base, at, revision = name.rpartition("@")
    for where, values in (
        ("name = ? AND key = ?", (name, key)),
        ("repository = ? AND key = ?", (name, key)),
        ("? AND repository = ? AND key = ? AND revision = ?", (bool(at), base, key, revision)),
    ):
        text = f"SELECT {_COLUMNS} FROM entry WHERE {where} ORDER BY id DESC LIMIT 1"  # noqa: S608
        found = connection.execute(text, values).fetchone()
        if found is not None:
            return _entry(found)
    return None


def names(connection: sqlite3.Connection, key: str, most: int) -> list[str]:
    """Return the first names of a key."""
    return [
        str(name) for (name,) in connection.execute("SELECT name FROM entry WHERE key = ? ORDER BY name LIMIT ?", (key, most))
    ]


def listed(database: Database, key: str | None, left_out: LeftOut) -> Iterator[Entry]:
    """Yield the entries of a key, or of all, by name, page by page: nobody waits for whoever reads them."""
    last = ("", "")
    while True:
        where, values = ("(name, key) > (?, ?)", last) if key is None else ("key = ? AND name > ?", (key, last[0]))
        text = f"SELECT {_COLUMNS} FROM entry WHERE {where} ORDER BY name, key LIMIT ?"  # noqa: S608
        with database.reading() as connection:
            page = connection.execute(text, (*values, _PAGE)).fetchall()
        for row in page:
            entry = _sound(row, left_out)
            if entry is not None:
                yield entry
        if len(page) < _PAGE:
            return
        last = page[-1][:2]


def by_id(connection: sqlite3.Connection, numbers: Iterable[int], left_out: LeftOut) -> dict[int, Entry]:
    """Return the entries of these ids."""
    text = f"SELECT id, {_COLUMNS} FROM entry WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608
    found = ((number, _sound(row, left_out)) for number, *row in connection.execute(text, (_listed(numbers),)))
    return {number: entry for number, entry in found if entry is not None}


def count(connection: sqlite3.Connection, key: str | None) -> int:
    """Return how many entries of a key there are, or of all."""
    kept = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'total'").fetchone()
    what = "sum(entries) FROM total" if kept else "count(*) FROM entry"
    text = f"SELECT {what} WHERE ? IS NULL OR key = ?"
    return int(connection.execute(text, (key, key)).fetchone()[0] or 0)


def is_used(connection: sqlite3.Connection, fingerprint: str) -> bool:
    """Return whether any entry has this fingerprint."""
    return connection.execute("SELECT 1 FROM entry WHERE fingerprint = ? LIMIT 1", (fingerprint,)).fetchone() is not None


def space(connection: sqlite3.Connection, key: str, basis: str, dimensions: int) -> int | None:
    """Return the number of a space, if anything lies in it."""
    values = (key, basis, dimensions)
    found = connection.execute("SELECT id FROM space WHERE key = ? AND basis = ? AND dimensions = ?", values).fetchone()
    return None if found is None else int(found[0])


def sharing(connection: sqlite3.Connection, digests: Iterable[int], key: str, most: int) -> list[int]:
    """Return the ids of the entries of a key that share most digests."""
    # CROSS: SQLite would begin with all entries of the key (sqlite.org/optoverview.html, section 8.1).
    text = """SELECT entry FROM digest CROSS JOIN entry ON entry.id = digest.entry
        WHERE value IN (SELECT value FROM json_each(?)) AND entry.key = ? GROUP BY entry ORDER BY count(*) DESC, entry LIMIT ?"""
    return [number for (number,) in connection.execute(text, (_listed(digests), key, most))]


def shared(connection: sqlite3.Connection, digests: Iterable[int], numbers: Iterable[int]) -> dict[int, int]:
    """Return how many of the digests each of these entries has, if any."""
    text = """SELECT entry, count(*) FROM digest WHERE value IN (SELECT value FROM json_each(?))
        AND entry IN (SELECT value FROM json_each(?)) GROUP BY entry"""
    return dict(connection.execute(text, (_listed(digests), _listed(numbers))).fetchall())


def still_there(connection: sqlite3.Connection, at: int, numbers: Iterable[int]) -> set[int]:
    """Return which of these entries lie in a space."""
    text = "SELECT entry FROM vector WHERE space = ? AND entry IN (SELECT value FROM json_each(?))"
    return {number for (number,) in connection.execute(text, (at, _listed(numbers)))}


def vectors_of(
    connection: sqlite3.Connection, at: int, dimensions: int, numbers: Iterable[int]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the vectors of those of these entries that lie in a space: ids, and a matrix with a row for each."""
    text = "SELECT entry, numbers FROM vector WHERE space = ? AND entry IN (SELECT value FROM json_each(?))"
    return _matrix(connection.execute(text, (at, _listed(numbers))).fetchall(), dimensions)


def vectors_after(
    connection: sqlite3.Connection, at: int, dimensions: int, last: int, most: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the next vectors of a space by id: ids, and a matrix with a row for each."""
    text = "SELECT entry, numbers FROM vector WHERE space = ? AND entry > ? ORDER BY entry LIMIT ?"
    return _matrix(connection.execute(text, (at, last, most)).fetchall(), dimensions)


def _add_space(connection: sqlite3.Connection, key: str, basis: str, dimensions: int) -> int:
    text = "INSERT INTO space (key, basis, dimensions) VALUES (?, ?, ?)"
    return int(connection.execute(text, (key, basis, dimensions)).lastrowid or 0)


def misfits(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Yield the entries of which a search vector is malformed, each with the basis of that."""
    text = """SELECT name, basis FROM vector JOIN space ON space.id = space JOIN entry ON entry.id = entry
        WHERE typeof(numbers) <> 'blob' OR length(numbers) <> dimensions * ?"""
    yield from ((str(name), str(basis)) for name, basis in connection.execute(text, (STORED.itemsize,)))


def _matrix(rows: list[tuple[int, bytes]], dimensions: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return vectors; a malformed one is all zeros, which is like nothing."""
    size = dimensions * STORED.itemsize
    sound = (numbers if isinstance(numbers, bytes) and len(numbers) == size else bytes(size) for _, numbers in rows)
    matrix = np.frombuffer(b"".join(sound), STORED).reshape(len(rows), dimensions).astype(np.float32)
    return np.array([number for number, _ in rows], np.int64), matrix


def _values(entry: Entry) -> tuple[object, ...]:
    facts = json.dumps(asdict(entry.facts), ensure_ascii=False, sort_keys=True)
    made = (entry.source_digest, entry.fingerprint, entry.specification, entry.origin, int(entry.verified))
    return (entry.name, entry.key, facts, *made, entry.added, entry.tool)


def _sound(row: Sequence[object], left_out: LeftOut) -> Entry | None:
    try:
        return _entry(row)
    except InputError as error:
        left_out(error)
        return None


def _entry(row: Sequence[object]) -> Entry:
    document = dict(zip(_COLUMNS.replace(" ", "").split(","), row, strict=True))
    try:
        facts = msgspec.json.decode(str(document["facts"]), type=Facts)
        return msgspec.convert(document | {"facts": facts, "verified": bool(document["verified"])}, Entry)
    except msgspec.MsgspecError as error:
        hint = "see what else is damaged: tensorguard registry verify"
        message = f"the registry's entry {quote(document['name'])} is malformed ({quote(error)})"
        raise InputError(message, hint=hint) from error


def _listed(numbers: Iterable[int]) -> str:
    return json.dumps([int(number) for number in numbers])
