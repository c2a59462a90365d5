"""The search indexes of a registry: files that can be deleted and made again at any time, and are read only as they were made."""

import contextlib
import fcntl
import re
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from tensorguard.errors import InputError, ResourceError
from tensorguard.formats.atomic import replacing
from tensorguard.progress import Progress
from tensorguard.registry import rows
from tensorguard.registry.database import Database
from tensorguard.registry.index import Ids, Index, Vectors, write

LEAST = 20_000
"""Fewer vectors than this are searched fast enough without an index."""

_BLOCK = 16_384
_LOCK = "lock"
_TASK = "search index"
_SUFFIX = ".vectors"
_NAME = re.compile(f"[0-9a-f]{{32}}{re.escape(_SUFFIX)}")


class Indexes:
    """The folder of the indexes. The database says which file is the index of which space, and what its bytes are."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self._database = database
        self._open: dict[str, Index | None] = {}
        self._lock = threading.Lock()

    def current(self, connection: sqlite3.Connection, space: int, dimensions: int) -> tuple[int, Index | None]:
        """Return up to which entry the index of a space reaches, and the index; 0 and None if there is none that can be used."""
        row = connection.execute("SELECT file, newest, vectors FROM search_index WHERE space = ?", (space,)).fetchone()
        if row is None:
            return 0, None
        file, newest, vectors = str(row[0]), int(row[1]), int(row[2])
        with self._lock:
            if file not in self._open:
                self._open = {name: index for name, index in self._open.items() if (self.folder / name).exists()}
                self._open[file] = self._opened(file, vectors, dimensions)
            index = self._open[file]
        return (0, None) if index is None else (newest, index)

    def build(self, progress: Progress, least: int = LEAST, *, stale: bool = False) -> int:
        """Make anew the index of every space with at least so many vectors that no index covers; others read and write on meanwhile.

        With `stale`, also every index that names vectors which were removed since.

        Returns:
            How many vectors were indexed.

        Raises:
            ResourceError: The folder cannot be written, or another process is doing the same.
        """
        with self._database.reading() as connection:
            spaces = [(int(at), int(dimensions)) for at, dimensions in connection.execute("SELECT id, dimensions FROM space")]
            text = "SELECT count(*) FROM (SELECT 1 FROM vector WHERE space = ? AND entry > ? LIMIT ?)"
            reached = {at: self.current(connection, at, dimensions)[0] for at, dimensions in spaces}
            wanting = {at: connection.execute(text, (at, reached[at], least)).fetchone()[0] >= least for at, _ in spaces}
            wanting |= dict.fromkeys(_stale(connection), True) if stale else {}
        done = 0
        for at, dimensions in spaces:
            if wanting[at]:
                with self._only_builder():
                    done += self._build(at, dimensions, progress)
        return done

    def sweep(self) -> int:
        """Remove files that are nobody's index, unless one is being built; returns how many."""
        removed = 0
        with contextlib.suppress(ResourceError), self._only_builder(), self._database.reading() as connection:
            used = {file for (file,) in connection.execute("SELECT file FROM search_index")}
            for path in self.folder.iterdir():
                if path.name not in {*used, _LOCK}:
                    path.unlink(missing_ok=True)
                    removed += 1
        return removed

    def forget(self) -> None:
        """Let go of the indexes in memory."""
        with self._lock:
            self._open.clear()

    def _build(self, space: int, dimensions: int, progress: Progress) -> int:
        path = self.folder / f"{secrets.token_hex(16)}{_SUFFIX}"
        newest = 0

        def blocks() -> Iterator[tuple[Ids, Vectors]]:
            nonlocal newest
            while True:
                with self._database.reading() as connection:
                    ids, vectors = rows.vectors_after(connection, space, dimensions, newest, _BLOCK)
                if not len(ids):
                    return
                newest = int(ids[-1])
                yield ids, vectors
                progress.advance(_TASK, len(ids))

        with self._database.reading() as connection:
            size = int(connection.execute("SELECT count(*) FROM vector WHERE space = ?", (space,)).fetchone()[0])
        progress.start(_TASK, size, "vectors")
        try:
            with replacing(path) as file:
                held = write(file, blocks(), self.folder)
        finally:
            progress.finish(_TASK)
        with self._database.writing() as connection:
            old = connection.execute("SELECT file FROM search_index WHERE space = ?", (space,)).fetchone()
            row = (space, path.name, newest, held)
            if held:
                text = "INSERT OR REPLACE INTO search_index (space, file, newest, vectors) VALUES (?, ?, ?, ?)"
                connection.execute(text, row)
            else:
                connection.execute("DELETE FROM search_index WHERE space = ?", (space,))
                path.unlink(missing_ok=True)
        if old is not None and _NAME.fullmatch(str(old[0])):
            (self.folder / str(old[0])).unlink(missing_ok=True)
        return held

    def _opened(self, file: str, vectors: int, dimensions: int) -> Index | None:
        """Return an index if its file is there and of the right size; without it, every vector counts as newer than the index."""
        path = self.folder / file
        try:
            return Index(path, vectors, dimensions) if _NAME.fullmatch(file) and not path.is_symlink() else None
        except (OSError, InputError):
            return None

    @contextlib.contextmanager
    def _only_builder(self) -> Iterator[None]:
        """Hold a lock that the system takes back from a killed process."""
        try:
            self.folder.mkdir(exist_ok=True)
            lock = (self.folder / _LOCK).open("w")
        except OSError as error:
            hint = "check the folder's permissions and free space"
            raise ResourceError(f"cannot be written ({error.strerror})", where=self.folder, hint=hint) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ResourceError("another process is making the search index", where=self.folder) from error
            yield


def _stale(connection: sqlite3.Connection) -> Iterator[int]:
    """Yield the spaces whose index names vectors that are gone."""
    text = """SELECT space FROM search_index AS of
        WHERE vectors > (SELECT count(*) FROM vector WHERE vector.space = of.space AND entry <= newest)"""
    yield from (int(space) for (space,) in connection.execute(text))
