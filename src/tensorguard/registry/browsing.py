"""Looking through a registry page by page, however many entries it has: only what is shown is held in memory.

A search for words asks the index of words for candidates and looks at these. Words of one or two letters are not in it: their search
goes over the rows in the order in which they are shown and ends with the page, which at worst reads all rows (a million: 3 s).
"""

import difflib
import json
import re
import sqlite3
from collections.abc import Callable, Collection, Sequence

from tensorguard.errors import quote_some
from tensorguard.registry import rows
from tensorguard.registry.entry import Entry
from tensorguard.registry.rows import LeftOut
from tensorguard.registry.words import FACTS, candidates

_HOLDS = f" AND (name LIKE ? ESCAPE '!' OR (facts LIKE ? ESCAPE '!' AND ({FACTS}) LIKE ? ESCAPE '!'))"
"""Of each word; what facts say is costly, so it is looked at only where the text of all facts fits."""

_NEAR = 2_000
"""Rows that are looked at in order where many may hold the words, before all that may hold them are gathered."""

_MOST_NAMES = 20_000
"""Names among which similar ones are looked for."""


def page(
    connection: sqlite3.Connection, words: Sequence[str], key: str | None, after: tuple[str, str], most: int, left_out: LeftOut
) -> list[Entry]:
    """Return the entries after a (name, key), by name and key, whose name or facts hold every word, in any case of ASCII letters.

    Malformed rows are left out, and said to `left_out`.
    """
    found: list[Entry] = []
    while True:
        seen = _page(connection, words, key, after, most - len(found))
        found += _entries(connection, [number for number, *_ in seen], left_out)
        if len(found) == most or not seen:
            return found
        after = seen[-1][1:]


def _page(
    connection: sqlite3.Connection, words: Sequence[str], key: str | None, after: tuple[str, str], most: int
) -> list[tuple[int, str, str]]:
    """Return id, name and key of the next rows that hold every word, sound or not.

    A plus before a column keeps SQLite from going by its index (sqlite.org/optoverview.html, section 3).
    """
    condition, values, few = candidates(connection, words)
    plus = "+" if few else ""
    behind = f"({plus}name, {plus}key) > (?, ?)" if key is None else f"{plus}key = ? AND {plus}name > ?"
    start = after if key is None else (key, after[0])
    held = [pattern for word in words for pattern in (_anywhere(word), _anywhere(_as_json(word)), _anywhere(word))]

    def ordered(rest: str, *more: object) -> list[tuple[int, str, str]]:
        text = f"SELECT id, name, key FROM {rest}{_HOLDS * len(words)} ORDER BY name, key LIMIT ?"  # noqa: S608
        return connection.execute(text, (*more, *held, most)).fetchall()

    if condition and not few:
        text = f"SELECT name FROM entry WHERE {behind} ORDER BY name, key LIMIT 1 OFFSET ?"  # noqa: S608
        end = connection.execute(text, (*start, _NEAR)).fetchone()
        near = ordered(f"entry WHERE {behind} AND name <= ?", *start, *end) if end else ordered(f"entry WHERE {behind}", *start)
        if len(near) == most or not end:
            return near
    return ordered(f"entry WHERE {'' if few else '+'}{condition or 'true'} AND {behind}", *values, *start)


def children(connection: sqlite3.Connection, names: Collection[str], key: str, most: int, left_out: LeftOut) -> list[Entry]:
    """Return entries of a key, by name, whose facts name one of these as a parent, in any case of ASCII letters; names should be few."""
    found: dict[int, str] = {}
    for name in names:
        condition, values, _ = candidates(connection, [name])
        text = f"""SELECT id, name FROM entry WHERE {condition or "true"} AND +key = ? AND facts LIKE ? ESCAPE '!' AND json_valid(facts)
            AND EXISTS (SELECT 1 FROM json_each(facts, '$.parents') AS parent WHERE lower(parent.value) = lower(?))
            ORDER BY +name LIMIT ?"""  # noqa: S608
        found |= connection.execute(text, (*values, key, _anywhere(_as_json(name)), name, most)).fetchall()
    return _entries(connection, sorted(found, key=lambda number: str(found[number]))[:most], left_out)


def called(
    connection: sqlite3.Connection, pieces: Sequence[str], means: Callable[[str], bool], key: str, left_out: LeftOut
) -> list[Entry]:
    """Return the entries of a key whose name or repository is meant, if it holds these pieces one after the other.

    Letters of ASCII may have any case. `means` is asked about every name that holds them.
    """
    condition, values, _ = candidates(connection, pieces)
    pattern = _anywhere(*pieces)
    text = f"""SELECT id, name, repository FROM entry WHERE {condition or "true"} AND +key = ?
        AND (name LIKE ? ESCAPE '!' OR repository LIKE ? ESCAPE '!')"""  # noqa: S608
    seen = connection.execute(text, (*values, key, pattern, pattern))
    return _entries(connection, [number for number, *names in seen if any(means(str(name)) for name in names)], left_out)


def advice(connection: sqlite3.Connection, name: str, key: str) -> str:
    """Return a hint to whoever asked for an entry that there is not."""
    keys = rows.keys(connection, name)
    if keys:
        return f"it has one under {quote_some(keys)}"
    close = difflib.get_close_matches(name, rows.names(connection, key, _MOST_NAMES), n=3)
    return f"similar names: {quote_some(close)}" if close else "see them with: tensorguard registry list"


def _entries(connection: sqlite3.Connection, numbers: Sequence[int], left_out: LeftOut) -> list[Entry]:
    found = rows.by_id(connection, numbers, left_out)
    return [found[number] for number in numbers if number in found]


def _as_json(word: str) -> str:
    """Return a word as it stands in JSON text, in which facts are kept."""
    return json.dumps(word, ensure_ascii=False)[1:-1]


def _anywhere(*pieces: str) -> str:
    """Return the pattern of texts that hold some pieces, one after the other, none of their characters being special."""
    escaped = (re.sub("[!%_]", r"!\g<0>", piece) for piece in pieces)
    return f"%{'%'.join(escaped)}%"
