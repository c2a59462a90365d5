"""The registry's SQLite database: opening it, connections for threads, transactions, and what its errors mean.

The database is in WAL mode: readers never wait, writers wait for each other. WAL needs shared memory, so a registry that is *written*
must not lie on a network file system such as NFS; a copy that nobody writes can be read from anywhere.
"""

import contextlib
import queue
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from tensorguard.errors import InputError, NotFoundError, ResourceError, TensorGuardError, quote
from tensorguard.registry.schema import APPLICATION, TABLES, VERSION, lacks

BUSY_SECONDS = 120
"""How long a writer waits for other writers."""

_PATIENCE_MS = 5_000
"""How long emptying the log waits for readers."""

_READER_KB, _WRITER_KB = 2_048, 131_072
"""Most memory for pages of a connection: there are many readers and one writer, which would write the pages of indexes many times over."""

_UNUSABLE = {3, 7, 8, 10, 13, 14, 22, 23}
"""Primary result codes that are about the machine: PERM, NOMEM, READONLY, IOERR, FULL, CANTOPEN, NOLFS, AUTH (sqlite.org/rescode.html)."""
_NEEDED = 1 << 16
"""Bytes of the log and its index, to begin with."""
_WAITING = {5, 6, 15}
"""BUSY, LOCKED, PROTOCOL."""


class Database:
    """Connections to one database; each is used by one thread at a time and kept for the next one."""

    def __init__(self, path: Path, *, create: bool) -> None:
        """Open a database, or make it.

        Raises:
            NotFoundError: There is none and `create` is false.
            InputError: It is something else, is damaged, or a newer version made it.
            ResourceError: It cannot be read or made.
        """
        self.path = path
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._suffixes = ("?mode=rwc" if create else "?mode=rw", "?mode=ro", "?immutable=1&mode=ro")
        if not create and not path.is_file():
            raise NotFoundError("there is no registry", where=path.parent, hint="make one with: tensorguard registry add")
        with self.reading() as connection:
            application, version = _of_file(connection, "application_id"), _of_file(connection, "user_version")
            empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
        if empty and not application:
            if not create:  # somebody is making it, or was killed at it
                hint = "if it is being made just now, try again; or make one with: tensorguard registry add"
                raise NotFoundError("there is no registry yet", where=path.parent, hint=hint)
            self._make()
        elif application != APPLICATION:
            raise InputError("is not a registry", where=path, hint="give the folder of a registry")
        elif version > VERSION:
            hint = "update TensorGuard"
            raise InputError(f"a newer TensorGuard made this registry (version {version} of its tables)", where=path, hint=hint)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection on which everything is seen as it was at the first look.

        Raises:
            InputError: The database is damaged.
            ResourceError: It cannot be read.
        """
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection as the only writer; all is kept at the end, on disk, or nothing.

        Raises:
            InputError: The database is damaged.
            ResourceError: It cannot be written, or another process held it for too long.
        """
        with self._transaction("BEGIN IMMEDIATE") as connection:
            connection.execute(f"PRAGMA cache_size=-{_WRITER_KB}")
            yield connection
            connection.execute(f"PRAGMA cache_size=-{_READER_KB}")

    def upgrade(self) -> None:
        """Add what registries of earlier versions lack.

        Raises:
            InputError: The database is damaged.
            ResourceError: It cannot be written.
        """
        with self.reading() as connection:
            complete = not lacks(connection)
        if not complete:
            with self.writing() as connection:
                for statement in lacks(connection):
                    connection.execute(statement)

    def vacuum(self) -> None:
        """Write the database anew, without what is free in it; readers go on, writers wait.

        Raises:
            InputError: The database is damaged.
            ResourceError: It cannot be written, there is no room for it twice, or another process held it for too long.
        """
        with self._errors(), contextlib.closing(self._connect()) as connection:
            connection.execute("VACUUM")

    def checkpoint(self) -> None:
        """Put what the write-ahead log holds into the database, and make the log empty unless somebody is reading what is old."""
        with self._errors(), contextlib.closing(self._connect()) as connection:
            connection.execute(f"PRAGMA busy_timeout={_PATIENCE_MS}")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._errors():
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                connection = self._connect()
            try:
                connection.execute(begin)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.close()  # undoes what was not committed, whatever state the connection is in
                raise
            self._idle.put(connection)

    def _connect(self) -> sqlite3.Connection:
        """Return a connection in the first way that works: to read and write, to read, to read what nobody can be writing."""
        for suffix in self._suffixes:
            uri = self.path.absolute().as_uri() + suffix
            connection = None
            try:
                connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
                for pragma in ("foreign_keys=ON", "trusted_schema=OFF", "cell_size_check=ON", "synchronous=FULL"):
                    connection.execute(f"PRAGMA {pragma}")
                connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
                return connection
            except sqlite3.OperationalError as error:
                failure = error
                if connection is not None:
                    connection.close()
                if _code(error) not in _UNUSABLE:
                    raise
            if self._has_log():
                break  # what cannot be written would be read without what its log holds
        raise failure

    def _has_log(self) -> bool:
        log = self.path.with_name(f"{self.path.name}-wal")
        return log.exists() and log.stat().st_size > 0

    def _make(self) -> None:
        with self._errors():
            connection = self._connect()
            try:
                connection.execute("PRAGMA page_size=8192")
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("BEGIN IMMEDIATE")
                if _of_file(connection, "application_id") != APPLICATION:  # nobody else was quicker
                    for statement in TABLES.split(";"):
                        connection.execute(statement)
                    for statement in lacks(connection):
                        connection.execute(statement)
                    connection.execute("INSERT INTO identity VALUES (hex(randomblob(16)))")
                    connection.execute(f"PRAGMA application_id={APPLICATION}")
                    connection.execute(f"PRAGMA user_version={VERSION}")
                connection.execute("COMMIT")
            finally:
                connection.close()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except TensorGuardError:
            raise
        except (sqlite3.ProgrammingError, sqlite3.InterfaceError):
            raise
        except sqlite3.Error as error:
            raise _meaning(error, self.path) from error


def _is_full(path: Path) -> bool:
    """Say whether there is no room for the files that SQLite makes beside a database; it then says that it cannot open or write it."""
    try:
        return shutil.disk_usage(path.parent).free < _NEEDED
    except OSError:
        return False


def _of_file(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _meaning(error: sqlite3.Error, path: Path) -> TensorGuardError:
    if _code(error) in _WAITING:
        hint = "see which process is using the registry, and try again"
        return ResourceError(f"other writers kept the registry busy for {BUSY_SECONDS} s", where=path, hint=hint)
    if _code(error) == sqlite3.SQLITE_FULL or (_code(error) in _UNUSABLE and _is_full(path)):
        return ResourceError("cannot be written: the disk is full", where=path, hint="free some space and run it again")
    if _code(error) in _UNUSABLE:
        hint = "check the folder's permissions and free space; one that a writer left open must be opened once where it can be written"
        return ResourceError(f"the registry cannot be read or written ({error})", where=path, hint=hint)
    hint = "keep the folder, and make the registry again from an exported archive or from the models"
    return InputError(f"the registry's database is damaged ({quote(error)})", where=path, hint=hint)
