"""Looking through a registry page by page, however many entries it has: only what is shown is held in memory.

A search for words goes over the rows in the order in which they are shown and ends with the page: at worst, where hardly anything fits,
it reads all rows (for a million 2 s where they are in memory, 20 s where they are not).
"""

import json
import sqlite3
from collections.abc import Collection, Sequence

from tensorguard.registry import rows
from tensorguard.registry.entry import Entry

_TEXTS = ("repository", "revision", "family", "publisher", "licence", "relation", "released")
_PARENTS = "ifnull((SELECT group_concat(value, char(10)) FROM json_each(facts, '$.parents')), '')"
_VALUES = " || char(10) || ".join([*(f"ifnull(json_extract(facts, '$.{name}'), '')" for name in _TEXTS), _PARENTS])
"""What is said, without the names of facts; costly, so that it is looked at only where the text of all facts fits."""


def page(
    connection: sqlite3.Connection, words: Sequence[str], key: str | None, after: tuple[str, str], most: int
) -> list[Entry]:
    """Return the entries after a (name, key), by name and key, whose name or facts hold every word, in any case of ASCII letters."""
    where, values = ("(name, key) > (?, ?)", [*after]) if key is None else ("key = ? AND name > ?", [key, after[0]])
    for word in words:
        where += f" AND (name LIKE ? ESCAPE '!' OR (facts LIKE ? ESCAPE '!' AND ({_VALUES}) LIKE ? ESCAPE '!'))"
        values += [_anywhere(word), _anywhere(_as_json(word)), _anywhere(word)]
    return _entries(connection, f"{where} ORDER BY name, key LIMIT ?", (*values, most))


def children(connection: sqlite3.Connection, names: Collection[str], key: str, most: int) -> list[Entry]:
    """Return entries of a key, by name, whose facts name one of these as a parent, in any case of ASCII letters; names should be few."""
    hinted = " OR ".join(["facts LIKE ? ESCAPE '!'"] * len(names))
    is_parent = """EXISTS (SELECT 1 FROM json_each(facts, '$.parents') AS parent
        WHERE lower(parent.value) IN (SELECT lower(value) FROM json_each(?)))"""
    hints = [_anywhere(_as_json(name)) for name in names]
    where = f"key = ? AND ({hinted}) AND {is_parent} ORDER BY name LIMIT ?"
    return _entries(connection, where, (key, *hints, json.dumps(list(names)), most)) if names else []


def _entries(connection: sqlite3.Connection, where: str, values: tuple[object, ...]) -> list[Entry]:
    numbers = [number for (number,) in connection.execute(f"SELECT id FROM entry WHERE {where}", values)]  # noqa: S608
    found = rows.by_id(connection, numbers)
    return [found[number] for number in numbers]


def _as_json(word: str) -> str:
    """Return a word as it stands in JSON text, in which facts are kept."""
    return json.dumps(word, ensure_ascii=False)[1:-1]


def _anywhere(word: str) -> str:
    """Return the pattern of texts that hold a word, none of its characters being special."""
    for special in "!%_":
        word = word.replace(special, f"!{special}")
    return f"%{word}%"
