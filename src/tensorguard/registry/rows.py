"""The registry's entries as rows of its database: adding, finding, listing, removing."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import InputError, quote
from tensorguard.registry.database import Database
from tensorguard.registry.entry import Entry, Facts

STORED = np.dtype("<f2")
"""What vectors are kept as: a cosine is off by less than 1e-4."""

_PAGE = 1_000
_COLUMNS = "name, key, facts, source_digest, fingerprint, specification, origin, verified, added, tool"


@dataclass(frozen=True, slots=True)
class Row:
    """An entry and what it is searched by.

    Attributes:
        entry: The entry.
        vectors: Unit vectors by basis, float16 or wider.
        digests: Signed 64-bit numbers.
    """

    entry: Entry
    vectors: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)
    digests: tuple[int, ...] = ()


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
    return number


def update(connection: sqlite3.Connection, number: int, entry: Entry) -> None:
    """Say other things of an entry whose fingerprint stays the same."""
    columns = ", ".join(f"{name.strip()} = ?" for name in _COLUMNS.split(","))
    connection.execute(
        f"UPDATE entry SET repository = ?, revision = ?, {columns} WHERE id = ?",  # noqa: S608
        (entry.facts.repository, entry.facts.revision, *_values(entry), number),
    )


def delete(connection: sqlite3.Connection, number: int) -> None:
    """Delete an entry and all that it is searched by."""
    connection.execute("DELETE FROM entry WHERE id = ?", (number,))


def named(connection: sqlite3.Connection, name: str, key: str | None) -> list[tuple[int, Entry]]:
    """Return the entries of exactly this name, with their ids."""
    where, values = ("name = ?", (name,)) if key is None else ("name = ? AND key = ?", (name, key))
    return list(_select(connection, f"WHERE {where} ORDER BY key", values))


def of_repository(connection: sqlite3.Connection, repository: str, key: str) -> Entry | None:
    """Return the entry added last of `org/name` or `org/name@revision`."""
    found = list(_select(connection, "WHERE repository = ? AND key = ? ORDER BY id DESC LIMIT 1", (repository, key)))
    base, at, revision = repository.rpartition("@")
    if not found and at:
        where = "WHERE repository = ? AND key = ? AND revision = ? ORDER BY id DESC LIMIT 1"
        found = list(_select(connection, where, (base, key, revision)))
    return found[0][1] if found else None


def after(connection: sqlite3.Connection, key: str | None, last: tuple[str, str], most: int) -> list[Entry]:
    """Return the next entries by (name, key)."""
    if key is None:
        where, values = "(name, key) > (?, ?)", last
    else:
        where, values = "key = ? AND name > ?", (key, last[0])
    return [entry for _, entry in _select(connection, f"WHERE {where} ORDER BY name, key LIMIT ?", (*values, most))]


def listed(database: Database, key: str | None) -> Iterator[Entry]:
    """Yield the entries of a key, or of all, by name, page by page: nobody waits for whoever reads them."""
    last = ("", "")
    while True:
        with database.reading() as connection:
            page = after(connection, key, last, _PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        last = (page[-1].name, page[-1].key)


def by_id(connection: sqlite3.Connection, numbers: Iterable[int]) -> dict[int, Entry]:
    """Return the entries of these ids."""
    return dict(_select(connection, "WHERE id IN (SELECT value FROM json_each(?))", (_listed(numbers),)))


def count(connection: sqlite3.Connection, key: str) -> int:
    """Return how many entries of a key there are."""
    kept = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'total'").fetchone()
    text = "SELECT sum(entries) FROM total WHERE key = ?" if kept else "SELECT count(*) FROM entry WHERE key = ?"
    return int(connection.execute(text, (key,)).fetchone()[0] or 0)


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


def _matrix(rows: list[tuple[int, bytes]], dimensions: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    if any(not isinstance(numbers, bytes) or len(numbers) != dimensions * STORED.itemsize for _, numbers in rows):
        raise InputError("the registry holds a search vector of another length", hint="see: tensorguard registry verify")
    matrix = np.frombuffer(b"".join(numbers for _, numbers in rows), STORED).reshape(len(rows), dimensions)
    return np.array([number for number, _ in rows], np.int64), matrix.astype(np.float32)


def _select(connection: sqlite3.Connection, rest: str, values: tuple[object, ...]) -> Iterator[tuple[int, Entry]]:
    for number, *row in connection.execute(f"SELECT id, {_COLUMNS} FROM entry {rest}", values):  # noqa: S608
        yield number, _entry(row)


def _values(entry: Entry) -> tuple[object, ...]:
    facts = json.dumps(asdict(entry.facts), ensure_ascii=False, sort_keys=True)
    made = (entry.source_digest, entry.fingerprint, entry.specification, entry.origin, int(entry.verified))
    return (entry.name, entry.key, facts, *made, entry.added, entry.tool)


def _entry(row: list[object]) -> Entry:
    document = dict(zip(_COLUMNS.replace(" ", "").split(","), row, strict=True))
    try:
        facts = msgspec.json.decode(str(document["facts"]), type=Facts)
        return msgspec.convert(document | {"facts": facts, "verified": bool(document["verified"])}, Entry)
    except msgspec.MsgspecError as error:
        raise InputError(f"an entry of the registry is malformed ({quote(error)})", where=str(document["name"])) from error


def _listed(numbers: Iterable[int]) -> str:
    return json.dumps([int(number) for number in numbers])
