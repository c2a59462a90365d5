"""What keeps a registry sound: finding what is damaged, and removing what killed processes left behind."""

from collections.abc import Iterator
from pathlib import Path

from tensorguard.errors import InputError, TensorGuardError, quote
from tensorguard.registry import rows
from tensorguard.registry.database import Database
from tensorguard.registry.files import Files


def sweep(database: Database, files: Files) -> tuple[int, int]:
    """Remove the files that no entry names; returns how many, and their bytes.

    They are looked for without a lock, and looked at again under it: no writer is then between a file and its row.
    """
    with database.reading() as connection:
        orphans = [(path, digest) for path, digest in files.all() if not digest or not rows.is_used(connection, digest)]
    if not orphans:
        return 0, 0
    with database.writing() as connection:
        needless = [path for path, digest in orphans if not digest or not rows.is_used(connection, digest)]
        removed = [size for path in needless if (size := _size(path)) is not None and files.discard(path)]
    return len(removed), sum(removed)


def damage(database: Database, files: Files) -> Iterator[tuple[str, TensorGuardError]]:
    """Yield what is damaged: the name of an entry, or an empty one for the database itself, and what is wrong."""
    try:
        with database.reading() as connection:
            found = [quote(text) for (text,) in connection.execute("PRAGMA integrity_check(20)") if text != "ok"]
            found += [f"row of {table} without its {of}" for table, _, of, _ in connection.execute("PRAGMA foreign_key_check")]
            found += [f"the search vector of {quote(name)} in {quote(basis)}" for name, basis in rows.misfits(connection)]
        for text in found:
            yield "", InputError(f"the registry's database is damaged ({text})", where=database.path)
        malformed: list[InputError] = []
        for entry in rows.listed(database, None, malformed.append):
            try:
                files.require_whole(entry.fingerprint)
            except TensorGuardError as error:
                with database.reading() as connection:
                    now = rows.stored(connection, entry.name, entry.key)
                if entry.fingerprint in [fingerprint for _, fingerprint, _ in now]:
                    yield entry.name, error
        yield from (("", error) for error in malformed)
    except InputError as error:
        yield "", error


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
