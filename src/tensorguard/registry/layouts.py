"""Which matrices of which sizes an entry's model has: kept once for all models of one shape, so that they are found by it at once.

Entries that earlier versions added have none until somebody reads their fingerprint.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from tensorguard.fingerprint.sketches import Place

MAKE = (
    "CREATE TABLE layout (id INTEGER PRIMARY KEY, places TEXT NOT NULL UNIQUE)",
    """CREATE TABLE shape (entry INTEGER PRIMARY KEY REFERENCES entry (id) ON DELETE CASCADE,
        layout INTEGER NOT NULL REFERENCES layout (id))""",
)
"""Statements that make the tables."""


def layout(places: Sequence[Place]) -> str:
    """Return the text that stands for a model's matrices; equal for models of one shape."""
    rows = [(each.role, each.layer, each.stack, each.rows, each.columns, each.parts) for each in places]
    return msgspec.json.encode(rows).decode()


def places(text: str) -> tuple[Place, ...]:
    """Return the matrices that such a text stands for; none, if it is malformed."""
    try:
        rows = msgspec.json.decode(text, type=list[tuple[str, int | None, str, int, int, int]])
    except msgspec.MsgspecError:
        return ()
    return tuple(Place(*row) for row in rows)


def add(connection: sqlite3.Connection, many: Iterable[tuple[int, str]]) -> None:
    """Note the layouts of entries, each by its id."""
    if not kept(connection):
        return
    for number, text in many:
        connection.execute("INSERT INTO layout (places) VALUES (?) ON CONFLICT DO NOTHING", (text,))
        found = "INSERT OR REPLACE INTO shape SELECT ?, id FROM layout WHERE places = ? AND EXISTS (SELECT 1 FROM entry WHERE id = ?)"
        connection.execute(found, (number, text, number))


def listed(connection: sqlite3.Connection, key: str) -> Iterator[tuple[int, str, str]]:
    """Yield the id, the name and the layout of each entry of a key, by name; an empty text where the layout is not known."""
    texts: dict[int, str] = {}
    text = "SELECT id, name, NULL FROM entry WHERE key = ? ORDER BY name"
    if kept(connection):
        texts = dict(connection.execute("SELECT id, places FROM layout").fetchall())
        text = "SELECT entry.id, name, layout FROM entry LEFT JOIN shape ON shape.entry = entry.id WHERE key = ? ORDER BY name"
    for number, name, at in connection.execute(text, (key,)):
        yield int(number), str(name), str(texts.get(at, ""))


def kept(connection: sqlite3.Connection) -> bool:
    """Return whether the registry has the tables."""
    return connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'shape'").fetchone() is not None
