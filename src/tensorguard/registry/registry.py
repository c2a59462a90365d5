"""The registry: a folder with one SQLite database, one file per fingerprint, and an index that can be rebuilt.

The database is the truth. A fingerprint's file is put in its place while its writer holds the database's write lock, before the row that
names it is committed, and is removed under that lock after the row's removal was: a process killed anywhere in between leaves at most a
file that no row names, and whoever holds the lock knows that nobody is between the two steps.
"""

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import InputError, NotFoundError, ResourceError, TensorGuardError, UsageError, quote, utf8
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.formats.atomic import make_folder
from tensorguard.progress import Progress, Silent
from tensorguard.registry import browsing, layouts, rows, upkeep
from tensorguard.registry.adding import Addition
from tensorguard.registry.compaction import Compacted, compact
from tensorguard.registry.database import Database
from tensorguard.registry.entry import Entry, Facts, Hit, Origin
from tensorguard.registry.files import Files
from tensorguard.registry.indexes import LEAST, Indexes
from tensorguard.registry.place import DATABASE as DATABASE
from tensorguard.registry.place import require_possible
from tensorguard.registry.rows import Row
from tensorguard.registry.search import Search
from tensorguard.registry.vectors import search_digests, search_vectors, source_digest


class Registry:
    """Known models. Safe under concurrent readers and writers, of threads and processes, and under killed ones.

    Attributes:
        folder: The folder.
        where: What to call it: the folder, or what it mirrors.
    """

    database_type = Database

    def __init__(self, folder: Path | str, *, create: bool = False) -> None:
        """Open a registry.

        Raises:
            NotFoundError: There is none and `create` is false.
            InputError: The folder holds something else, or a newer version's registry.
            ResourceError: It cannot be read or made.
        """
        self.folder = Path(folder)
        self.where: Path | str = self.folder
        require_possible(self.folder, create=create)
        if create:
            make_folder(self.folder / "fingerprints")
        self._left_out: dict[str, None] = {}
        self._database = self.database_type(self.folder / DATABASE, create=create)
        if create:
            with contextlib.suppress(ResourceError):  # it can be read as it is
                self._database.upgrade()
        self._files = Files(self.folder / "fingerprints")
        self._indexes = Indexes(self.folder / "index", self._database)
        self._search = Search(self._indexes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._search.close()
        self._indexes.forget()
        self._database.close()

    def add(
        self, fingerprint: Fingerprint, facts: Facts, *, name: str | None = None, origin: Origin = "made", verified: bool = True
    ) -> Entry:
        """Add a fingerprint, or replace that of the same name and key; whole or not at all.

        Args:
            fingerprint: With sketches.
            facts: What people say of it.
            name: The entry's name; the fingerprint's by default.
            origin: Where the fingerprint comes from.
            verified: Whether it was computed here from the weights.

        Raises:
            UsageError: The fingerprint has no sketches, its name is empty, or a text is too long.
            ResourceError: The folder cannot be written.
        """
        addition = Addition.of(fingerprint, facts, name=name, origin=origin, verified=verified)
        return self.add_all([addition])[0]

    def add_all(self, additions: Sequence[Addition]) -> list[Entry]:
        """Add fingerprints, or replace those of the same names and keys; all or none of them, in one transaction.

        Raises:
            ResourceError: The folder cannot be written.
        """
        needless: set[str] = set()
        with self._database.writing() as connection:
            for digest, raw in {each.row.entry.fingerprint: each.raw for each in additions}.items():
                self._files.put(raw, digest)
            for each in additions:
                needless |= each.store(connection)
        self._discard(needless)
        return [each.row.entry for each in additions]

    def insert(self, many: Iterable[Row]) -> None:
        """Add rows whose files are in their places, or that have none, of names that are new; all or none, in one transaction."""
        with self._database.writing() as connection:
            for row in many:
                rows.insert(connection, row)

    def find(self, name: str, key: str = "public") -> Entry | None:
        """Return the entry of a name, or the one added last of a repository (`org/name` or `org/name@revision`), or None."""
        try:
            with self._database.reading() as connection:
                return rows.find(connection, utf8(name), key)
        except InputError as error:
            self._leave_out(error)
            return None

    def entry(self, name: str, key: str = "public") -> Entry:
        """Return the entry of a name, or of a repository.

        Raises:
            NotFoundError: There is none; the hint names similar ones.
            InputError: It is malformed.
        """
        with self._database.reading() as connection:
            found = rows.find(connection, utf8(name), key)
            hint = "" if found else browsing.advice(connection, utf8(name), key)
        if found is None:
            raise NotFoundError(
                f"the registry has no entry {quote(name)} under the key {quote(key)}", where=self.where, hint=hint
            )
        return found

    def entries(self, key: str | None = None) -> Iterator[Entry]:
        """Yield the entries of a key, or of all, by name; those added or removed meanwhile may be among them or not."""
        return rows.listed(self._database, key, self._leave_out)

    @property
    def notices(self) -> tuple[str, ...]:
        """What was left out of answers until now because its row is malformed, a sentence each."""
        return tuple(self._left_out)

    def count(self, key: str | None = "public") -> int:
        """Return how many entries of a key there are, or of all: what p-values of a search are corrected for."""
        with self._database.reading() as connection:
            return rows.count(connection, key)

    def path(self, entry: Entry) -> Path:
        """Return where an entry's `.tgfp` lies, whether it is there or not."""
        return self._files.path(entry.fingerprint)

    def fingerprint(self, entry: Entry) -> Fingerprint:
        """Read an entry's fingerprint; the newer one, if it was replaced since.

        Raises:
            NotFoundError: The entry was removed since.
            InputError: The file is missing, is not the one that was stored, or is of other weights than the entry says.
        """
        try:
            found = self._files.get(entry.fingerprint)
        except NotFoundError as error:
            now = self.entry(entry.name, entry.key)
            if now.fingerprint != entry.fingerprint:
                return self.fingerprint(now)
            hint = "see what else is damaged: tensorguard registry verify"
            raise InputError("the fingerprint's file is missing", where=self.path(entry), hint=hint) from error
        if source_digest(found) != entry.source_digest:
            raise InputError(
                f"the fingerprint of {quote(entry.name)} is of other weights than its entry says", where=self.path(entry)
            )
        return found

    def remove(self, name: str, key: str | None = None) -> int:
        """Remove the entries of a name, of one key or all; returns how many."""
        with self._database.writing() as connection:
            found = rows.stored(connection, utf8(name), key)
            for number, *_ in found:
                rows.delete(connection, number)
        self._discard({fingerprint for _, fingerprint, _ in found})
        return len(found)

    def search(self, fingerprint: Fingerprint, top: int = 32) -> list[Hit]:
        """Return the entries of the fingerprint's key that are most like it, best first.

        Those with equal digests come first, then by similarity.

        Raises:
            UsageError: The fingerprint has no sketches, or `top` is not positive.
        """
        if fingerprint.sketches is None or top < 1:
            raise UsageError("a search needs a fingerprint with sketches, and room for one hit", where=fingerprint.name)
        vectors, digests = search_vectors(fingerprint.sketches), search_digests(fingerprint)
        return self.search_by(fingerprint.sketches.key, vectors, digests, top)

    def search_by(self, key: str, vectors: Mapping[str, NDArray[np.float32]], digests: tuple[int, ...], top: int) -> list[Hit]:
        """Search as `search` does, by unit vectors of each basis and digests that the caller has."""
        with self._database.reading() as connection:
            return self._search.hits(connection, key, vectors, digests, top, self._leave_out)

    def build_index(self, progress: Progress | None = None, *, least: int = LEAST) -> int:
        """Make the search index anew where at least `least` vectors are not in it yet; readers and writers go on meanwhile.

        An index of words is made, too, if an earlier version made the registry without.

        Returns:
            How many vectors were indexed; 0 where there was nothing to gain.

        Raises:
            ResourceError: The folder cannot be written, or another process is doing the same.
        """
        self._database.upgrade()
        return self._indexes.build(progress or Silent(), least)

    def sweep(self) -> int:
        """Remove the files that killed processes left behind; returns how many."""
        return upkeep.sweep(self._database, self._files)[0] + self._indexes.sweep()

    def compact(self, progress: Progress | None = None) -> Compacted:
        """Give back the room of what was removed: in the database, its log, the search indexes, and files that no entry names.

        Others read and write meanwhile; writers wait while the database is written anew. It may be killed at any time.

        Raises:
            InputError: The database is damaged.
            ResourceError: There is no room for the database twice, it cannot be written, or another process is making a search index.
        """
        self._database.upgrade()
        return compact(self._database, self._files, self._indexes, progress)

    def damage(self) -> Iterator[tuple[str, TensorGuardError]]:
        """Yield what is damaged: the name of an entry, or an empty one for the database itself, and what is wrong."""
        return upkeep.damage(self._database, self._files)

    def page(
        self, words: Sequence[str] = (), key: str | None = None, after: tuple[str, str] = ("", ""), most: int = 50
    ) -> list[Entry]:
        """Return the next entries after a (name, key) whose name or facts hold every word; see `browsing.page`."""
        with self._database.reading() as connection:
            return browsing.page(connection, [utf8(word) for word in words], key, after, most, self._leave_out)

    def children(self, names: Collection[str], key: str = "public", most: int = 50) -> list[Entry]:
        """Return entries whose facts name one of these few names or repositories as a parent; see `browsing.children`."""
        with self._database.reading() as connection:
            return browsing.children(connection, [utf8(name) for name in names], key, most, self._leave_out)

    def called(self, pieces: Sequence[str], means: Callable[[str], bool], key: str = "public") -> list[Entry]:
        """Return the entries whose name or repository is meant, if it holds these pieces in this order; see `browsing.called`."""
        with self._database.reading() as connection:
            return browsing.called(connection, [utf8(piece) for piece in pieces], means, key, self._leave_out)

    def layouts(self, key: str = "public") -> list[tuple[int, str, str]]:
        """Return the id, the name and the layout of each entry of a key, by name; see `layouts.listed`."""
        with self._database.reading() as connection:
            return list(layouts.listed(connection, key))

    def note_layouts(self, many: Mapping[int, str]) -> None:
        """Note layouts of entries, by their ids, of which none was known; nothing happens where that cannot be written."""
        if not many:
            return
        with contextlib.suppress(ResourceError):
            self._database.upgrade()
            with self._database.writing() as connection:
                layouts.add(connection, many.items())

    def by_id(self, numbers: Iterable[int]) -> dict[int, Entry]:
        """Return the entries of some ids, as far as they are still there."""
        with self._database.reading() as connection:
            return rows.by_id(connection, numbers, self._leave_out)

    def _discard(self, digests: set[str]) -> None:
        """Remove files that no entry names any more; what cannot be removed now is left to `sweep`."""
        if digests:
            with contextlib.suppress(TensorGuardError), self._database.writing() as connection:
                for digest in digests:
                    if not rows.is_used(connection, digest):
                        self._files.discard(self._files.path(digest))

    def _leave_out(self, error: InputError) -> None:
        self._left_out[f"{error.message}; it was left out"] = None
