"""Giving back what removed entries leave behind, while others read and write.

Every step is a transaction of its own, or a file put in the place of another: a process killed in any of them leaves a registry that is as
good as before. Readers never wait. Writers wait for as long as SQLite writes the database anew (`VACUUM`), which takes some 20 s per GB
and for the time being as much room again, twice.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from tensorguard.progress import Progress, Silent
from tensorguard.registry import layouts, upkeep, words
from tensorguard.registry.database import Database
from tensorguard.registry.files import Files
from tensorguard.registry.indexes import Indexes

_TASK = "compacting"
_STEPS = 5


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of a registry's parts, but for the fingerprints: the database, its write-ahead log, the search indexes."""

    database: int
    log: int
    index: int


@dataclass(frozen=True, slots=True)
class Compacted:
    """What compacting did.

    Attributes:
        before: Sizes at the beginning.
        after: Sizes at the end.
        files: Files that no entry names, which were removed.
        file_bytes: Their bytes.
        vectors: How many vectors were indexed anew, because their index held removed ones or lacked new ones.
    """

    before: Sizes
    after: Sizes
    files: int
    file_bytes: int
    vectors: int

    @property
    def freed(self) -> int:
        """Bytes given back, less those that a better index took."""
        now, then = self.after, self.before
        return then.database + then.log + then.index - now.database - now.log - now.index + self.file_bytes


def compact(database: Database, files: Files, indexes: Indexes, progress: Progress | None = None) -> Compacted:
    """Give back what removed entries left behind; see `Registry.compact`."""
    progress = progress or Silent()
    before = sizes(database.path, indexes.folder)
    progress.start(_TASK, _STEPS, "steps")
    try:
        removed, size = upkeep.sweep(database, files)
        progress.advance(_TASK, 1)
        with database.writing() as connection:
            _forget_needless(connection)
        progress.advance(_TASK, 1)
        _tidy_words(database)
        progress.advance(_TASK, 1)
        database.vacuum()
        database.checkpoint()
        progress.advance(_TASK, 1)
        vectors = indexes.build(progress, stale=True)
        removed += indexes.sweep()
        database.checkpoint()
        progress.advance(_TASK, 1)
    finally:
        progress.finish(_TASK)
    return Compacted(before, sizes(database.path, indexes.folder), removed, size, vectors)


def sizes(path: Path, folder: Path) -> Sizes:
    """Return the bytes of a registry's parts."""
    log = path.with_name(f"{path.name}-wal")
    return Sizes(_size(path), _size(log), sum(map(_size, folder.iterdir())) if folder.is_dir() else 0)


def _forget_needless(connection: sqlite3.Connection) -> None:
    """Delete layouts that no entry has."""
    if layouts.kept(connection):
        connection.execute("DELETE FROM layout WHERE id NOT IN (SELECT layout FROM shape)")


def _tidy_words(database: Database) -> None:
    """Merge the index of words in short transactions, between which others write."""
    first = more = True
    while more:
        with database.writing() as connection:
            more = words.tidied(connection, first=first)
        first = False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
