"""The tables of a registry's database. What they hold is only added to: a reader of version N reads every version up to N."""

import sqlite3

from tensorguard.registry import layouts, words

APPLICATION = 0x54476F31
"""SQLite's `application_id` of a registry: "TGo1"."""

VERSION = 1
"""SQLite's `user_version`."""

TABLES = """
CREATE TABLE identity (text TEXT NOT NULL);

-- Ids are never used twice, and under the write lock they are given in the order of commits: rows after id N are the newer ones.
CREATE TABLE entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    repository TEXT NOT NULL,
    revision TEXT NOT NULL,
    facts TEXT NOT NULL,
    source_digest TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    specification TEXT NOT NULL,
    origin TEXT NOT NULL,
    verified INTEGER NOT NULL,
    added TEXT NOT NULL,
    tool TEXT NOT NULL,
    UNIQUE (name, key)
);
CREATE INDEX entry_by_key ON entry (key, name);
CREATE INDEX entry_by_repository ON entry (repository, key);
CREATE INDEX entry_by_fingerprint ON entry (fingerprint);

-- Vectors of one space are compared with each other only.
CREATE TABLE space (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    basis TEXT NOT NULL,
    dimensions INTEGER NOT NULL,
    UNIQUE (key, basis, dimensions)
);

-- Unit vectors, little-endian float16, never changed but only added and removed.
CREATE TABLE vector (
    space INTEGER NOT NULL REFERENCES space (id),
    entry INTEGER NOT NULL REFERENCES entry (id) ON DELETE CASCADE,
    numbers BLOB NOT NULL,
    PRIMARY KEY (space, entry)
) WITHOUT ROWID;
CREATE INDEX vector_by_entry ON vector (entry);

CREATE TABLE digest (
    value INTEGER NOT NULL,
    entry INTEGER NOT NULL REFERENCES entry (id) ON DELETE CASCADE,
    PRIMARY KEY (value, entry)
) WITHOUT ROWID;
CREATE INDEX digest_by_entry ON digest (entry);

-- The search index of a space, a file that can be made again any time. It covers entries up to `newest`.
CREATE TABLE search_index (
    space INTEGER PRIMARY KEY REFERENCES space (id),
    file TEXT NOT NULL,
    newest INTEGER NOT NULL,
    vectors INTEGER NOT NULL
);
"""

_TOTAL = "CREATE TABLE total (key TEXT PRIMARY KEY, entries INTEGER NOT NULL) WITHOUT ROWID"
"""How many entries each key has: counting them takes long where they are many."""

_TOTAL_TRIGGERS = (
    """CREATE TRIGGER entry_added AFTER INSERT ON entry BEGIN
        INSERT INTO total VALUES (new.key, 1) ON CONFLICT (key) DO UPDATE SET entries = entries + 1;
    END""",
    "CREATE TRIGGER entry_removed AFTER DELETE ON entry BEGIN UPDATE total SET entries = entries - 1 WHERE key = old.key; END",
)


def lacks(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return the statements that make, and fill, what registries of earlier versions lack: totals, the index of words, layouts."""
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE name IN ('total', 'words', 'shape')")}
    count = "INSERT INTO total SELECT key, count(*) FROM entry GROUP BY key"
    totals = () if "total" in there else (_TOTAL, count, *_TOTAL_TRIGGERS)
    indexed = () if "words" in there or not words.possible(connection) else words.MAKE
    return (*totals, *indexed, *(() if "shape" in there else layouts.MAKE))
