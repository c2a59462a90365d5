"""What a mirror of a registry in object storage remembers beside the registry itself: which change of each name holds, what was seen."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tensorguard.errors import TensorGuardError
from tensorguard.registry import rows
from tensorguard.registry.adding import Addition
from tensorguard.registry.changes import Dated
from tensorguard.registry.database import Database
from tensorguard.version import __version__

FRESH_SECONDS = 30.0
"""What is read was true at some time in so many seconds before."""

_MAKE = (
    "CREATE TABLE IF NOT EXISTS shared (identity TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS change (name TEXT, key TEXT, stamp TEXT NOT NULL, PRIMARY KEY (name, key)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS seen (object TEXT PRIMARY KEY, size INTEGER NOT NULL, fault TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS reader (version TEXT NOT NULL)",
)


class MirrorDatabase(Database):
    """A database that is brought up to date before it is read, unless that was done a moment ago.

    Attributes:
        catch_up: Does so; None as long as it is being opened.
        failures: Why that could not be done the last time, a sentence; what is here is read all the same.
    """

    catch_up: Callable[[], None] | None = None
    failures: tuple[str, ...] = ()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._turn, self._caught_up = threading.Lock(), -FRESH_SECONDS
        super().__init__(*arguments, **options)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """See `Database.reading`."""
        self.refresh()
        with super().reading() as connection:
            yield connection

    def refresh(self, *, now: bool = False) -> None:
        """Bring it up to date; whoever comes while another thread does so reads what is there.

        Args:
            now: Even if that was done a moment ago, and what prevents it is an error.

        Raises:
            NotFoundError, InputError: The storage cannot be read.
        """
        if self.catch_up is None or not (now or time.monotonic() - self._caught_up >= FRESH_SECONDS):
            return
        if self._turn.acquire(blocking=now):
            try:
                self._caught_up = time.monotonic()  # also if it fails: others need not wait for the same
                self.catch_up()
                self.failures = ()
            except TensorGuardError as error:
                if now:
                    raise
                self.failures = (f"The registry could not be brought up to date: {error}.",)
            finally:
                self._turn.release()


def prepare(connection: sqlite3.Connection, identity: str) -> bool:
    """Make the tables; returns whether this is a mirror of that registry, or of none yet."""
    for statement in _MAKE:
        connection.execute(statement)
    found = connection.execute("SELECT identity FROM shared").fetchone()
    if found is None:
        connection.execute("INSERT INTO shared VALUES (?)", (identity,))
    if connection.execute("SELECT version FROM reader").fetchone() != (__version__,):
        connection.execute("DELETE FROM seen WHERE fault != ''")  # what another version could not read, this one may
        connection.execute("DELETE FROM reader")
        connection.execute("INSERT INTO reader VALUES (?)", (__version__,))
    return found is None or found == (identity,)


def apply(connection: sqlite3.Connection, changes: Iterable[Dated]) -> set[str]:
    """Apply changes, of each name and key only one that is later than what holds; returns fingerprints that may be needless now."""
    needless: set[str] = set()
    for each in changes:
        place = (each.name, each.key)
        found = connection.execute("SELECT stamp FROM change WHERE name = ? AND key = ?", place).fetchone()
        if found is not None and found[0] >= each.stamp:
            continue
        if each.row is None:
            for number, fingerprint, _ in rows.stored(connection, *place):
                rows.delete(connection, number)
                needless.add(fingerprint)
        else:
            needless |= Addition(b"", each.row).store(connection)
        connection.execute("INSERT OR REPLACE INTO change VALUES (?, ?, ?)", (*place, each.stamp))
    return needless


def note(connection: sqlite3.Connection, name: str, size: int, fault: str = "") -> None:
    """Remember an object that was looked at, and what is wrong with it."""
    connection.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", (name, size, fault))


def forget(connection: sqlite3.Connection, names: Iterable[str]) -> None:
    """Forget objects that are gone; what they said is kept."""
    connection.executemany("DELETE FROM seen WHERE object = ?", [(name,) for name in names])


def seen(connection: sqlite3.Connection) -> dict[str, tuple[int, str]]:
    """Return the size and the fault of each object that was looked at, by name."""
    return {str(name): (int(size), str(fault)) for name, size, fault in connection.execute("SELECT * FROM seen")}
