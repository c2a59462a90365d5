"""The word index: which entries may hold some words, told by the three-letter pieces of their names and facts.

It is a full-text index of SQLite (FTS5, trigram tokenizer: sqlite.org/fts5.html, section 4.3.5) without the texts and without places, so
that it names candidates, which are looked at. What changes an entry changes it in the same transaction; triggers could not, for in a
database that somebody else may have made they must not reach virtual tables (sqlite.org/pragma.html#pragma_trusted_schema).
"""

import json
import sqlite3
from collections.abc import Sequence

_LEAST = 3
"""Characters of a piece; shorter words are not in the index."""

_MOST_PIECES = 48
"""Pieces that are asked for: an expression has to stay small, and these leave few entries."""

_FEW = 2_000
"""Up to so many candidates are looked at one by one; more are looked at in the order in which entries are shown."""

_PAGES = 1_000
"""Pages that are merged in one transaction."""

_VERSION = (3, 34, 0)
"""The first SQLite with the trigram tokenizer."""

_TEXTS = ("repository", "revision", "family", "publisher", "licence", "relation", "released")
_PARENTS = "ifnull((SELECT group_concat(value, char(10)) FROM json_each(facts, '$.parents')), '')"
_EACH = [*(f"ifnull(json_extract(facts, '$.{name}'), '')" for name in _TEXTS), _PARENTS]

FACTS = f"CASE WHEN json_valid(facts) THEN {' || char(10) || '.join(_EACH)} ELSE '' END"
"""SQL of what an entry's facts say, a value on each line; empty if they are malformed."""

_SAID = f"name || char(10) || {FACTS}"
_ADD = f"INSERT INTO words (rowid, said) SELECT id, {_SAID} FROM entry"  # noqa: S608
_REMOVE = f"INSERT INTO words (words, rowid, said) SELECT 'delete', id, {_SAID} FROM entry"  # noqa: S608

MAKE = ("CREATE VIRTUAL TABLE words USING fts5(said, content='', columnsize=0, detail=none, tokenize='trigram')", _ADD)
"""Statements that make the index and put all entries into it."""


def add(connection: sqlite3.Connection, number: int) -> None:
    """Put an entry into the index."""
    if _kept(connection):
        connection.execute(f"{_ADD} WHERE id = ?", (number,))


def remove(connection: sqlite3.Connection, number: int) -> None:
    """Take an entry out of the index, before it is changed or removed."""
    if _kept(connection):
        connection.execute(f"{_REMOVE} WHERE id = ?", (number,))


def tidied(connection: sqlite3.Connection, *, first: bool) -> bool:
    """Go on putting the parts of the index into one, which lets go of what was removed; returns whether there is more to do.

    `first` says to begin with all parts (sqlite.org/fts5.html, section 6.8).
    """
    if not _kept(connection):
        return False
    before = connection.total_changes
    connection.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", (-_PAGES if first else _PAGES,))
    return connection.total_changes - before >= 2


def possible(connection: sqlite3.Connection) -> bool:
    """Return whether this SQLite can keep the index; without it every search reads all entries."""
    found = connection.execute("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'").fetchone()
    return found is not None and sqlite3.sqlite_version_info >= _VERSION


def candidates(connection: sqlite3.Connection, words: Sequence[str]) -> tuple[str, list[object], bool]:
    """Return a condition on `entry.id` that every entry meets whose texts hold all of some words, in any case.

    Returns:
        The condition, empty where nothing can be told; its values; and whether it leaves few entries.
    """
    pieces = list(dict.fromkeys(word[at : at + _LEAST] for word in words for at in range(len(word) - _LEAST + 1)))
    pieces = [piece for piece in pieces if "\0" not in piece]  # ends an expression
    if not pieces or not _kept(connection):
        return "", [], False
    asked = " ".join('"' + piece.replace('"', '""') + '"' for piece in pieces[:_MOST_PIECES])
    found = connection.execute("SELECT rowid FROM words WHERE words MATCH ? LIMIT ?", (asked, _FEW)).fetchall()
    if len(found) < _FEW:
        return "id IN (SELECT value FROM json_each(?))", [json.dumps([number for (number,) in found])], True
    return "id IN (SELECT rowid FROM words WHERE words MATCH ?)", [asked], False


def _kept(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'words'").fetchone() is not None
