"""The registry: a folder with one SQLite database, one file per fingerprint, and an index that can be rebuilt.

The database is the truth. A fingerprint's file is put in its place while its writer holds the database's write lock, before the row that
names it is committed, and is removed under that lock after the row's removal was: a process killed anywhere in between leaves at most a
file that no row names, and whoever holds the lock knows that nobody is between the two steps.
"""

import contextlib
import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import blake3
import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import InputError, NotFoundError, TensorGuardError, UsageError, quote, quote_some, utf8
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.file import encode_fingerprint
from tensorguard.formats.atomic import make_folder
from tensorguard.limits import MAX_FACT_CHARACTERS
from tensorguard.progress import Progress, Silent
from tensorguard.registry import browsing, rows, upkeep
from tensorguard.registry.database import Database
from tensorguard.registry.entry import Entry, Facts, Hit, Origin
from tensorguard.registry.files import Files
from tensorguard.registry.indexes import LEAST, Indexes
from tensorguard.registry.rows import Row
from tensorguard.registry.search import Search
from tensorguard.registry.vectors import search_digests, search_vectors, source_digest
from tensorguard.version import __version__

DATABASE = "registry.sqlite"
_MOST_NAMES = 20_000
_HARMLESS = ("fingerprints", "index", "lost+found", ".DS_Store")


class Registry:
    """Known models. Safe under concurrent readers and writers, of threads and processes, and under killed ones."""

    def __init__(self, folder: Path | str, *, create: bool = False) -> None:
        """Open a registry.

        Raises:
            NotFoundError: There is none and `create` is false.
            InputError: The folder holds something else, or a newer version's registry.
            ResourceError: It cannot be read or made.
        """
        self.folder = Path(folder)
        self._require_possible(create)
        if create:
            make_folder(self.folder / "fingerprints")
        self._database = Database(self.folder / DATABASE, create=create)
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
        if fingerprint.sketches is None:
            raise UsageError("a fingerprint without sketches cannot be searched by", where=fingerprint.name)
        raw = encode_fingerprint(fingerprint)
        entry = Entry(
            name=_text(fingerprint.name if name is None else name),
            key=_text(fingerprint.sketches.key),
            facts=_checked(facts),
            source_digest=source_digest(fingerprint),
            fingerprint=blake3.blake3(raw).hexdigest(),
            specification=fingerprint.specification,
            origin=origin,
            verified=verified,
            added=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            tool=__version__,
        )
        if not entry.name:
            raise UsageError("an entry of a registry needs a name")
        row = Row(entry, search_vectors(fingerprint.sketches), search_digests(fingerprint))
        with self._database.writing() as connection:
            self._files.put(raw, entry.fingerprint)
            before = rows.named(connection, entry.name, entry.key)
            if [(old.fingerprint, old.tool) for _, old in before] == [(entry.fingerprint, entry.tool)]:
                rows.update(connection, before[0][0], entry)
                return entry
            for number, _ in before:
                rows.delete(connection, number)
            rows.insert(connection, row)
        self._discard({old.fingerprint for _, old in before} - {entry.fingerprint})
        return entry

    def insert(self, many: Iterable[Row]) -> None:
        """Add rows whose files are in their places, or that have none, of names that are new; all or none, in one transaction."""
        with self._database.writing() as connection:
            for row in many:
                rows.insert(connection, row)

    def find(self, name: str, key: str = "public") -> Entry | None:
        """Return the entry of a name, or the one added last of a repository (`org/name` or `org/name@revision`), or None."""
        with self._database.reading() as connection:
            found = rows.named(connection, utf8(name), key)
            return found[0][1] if found else rows.of_repository(connection, utf8(name), key)

    def entry(self, name: str, key: str = "public") -> Entry:
        """Return the entry of a name, or of a repository.

        Raises:
            NotFoundError: There is none; the hint names similar ones.
        """
        found = self.find(name, key)
        if found is None:
            hint = self._advice(utf8(name), key)
            raise NotFoundError(
                f"the registry has no entry {quote(name)} under the key {quote(key)}", where=self.folder, hint=hint
            )
        return found

    def entries(self, key: str | None = None) -> Iterator[Entry]:
        """Yield the entries of a key, or of all, by name; those added or removed meanwhile may be among them or not."""
        return rows.listed(self._database, key)

    def count(self, key: str = "public") -> int:
        """Return how many entries of a key there are: what p-values of a search are corrected for."""
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
            found = rows.named(connection, utf8(name), key)
            for number, _ in found:
                rows.delete(connection, number)
        self._discard({entry.fingerprint for _, entry in found})
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
            return self._search.hits(connection, key, vectors, digests, top)

    def build_index(self, progress: Progress | None = None, *, least: int = LEAST) -> int:
        """Make the search index anew where at least `least` vectors are not in it yet; readers and writers go on meanwhile.

        Returns:
            How many vectors were indexed; 0 where there was nothing to gain.

        Raises:
            ResourceError: The folder cannot be written, or another process is doing the same.
        """
        return self._indexes.build(progress or Silent(), least)

    def sweep(self) -> int:
        """Remove the files that killed processes left behind; returns how many."""
        return upkeep.sweep(self._database, self._files) + self._indexes.sweep()

    def damage(self) -> Iterator[tuple[str, TensorGuardError]]:
        """Yield what is damaged: the name of an entry, or an empty one for the database itself, and what is wrong."""
        return upkeep.damage(self._database, self._files)

    def page(
        self, words: Sequence[str] = (), key: str | None = None, after: tuple[str, str] = ("", ""), most: int = 50
    ) -> list[Entry]:
        """Return the next entries after a (name, key) whose name or facts hold every word; see `browsing.page`."""
        with self._database.reading() as connection:
            return browsing.page(connection, [utf8(word) for word in words], key, after, most)

    def children(self, names: Collection[str], key: str = "public", most: int = 50) -> list[Entry]:
        """Return entries whose facts name one of these few names or repositories as a parent; see `browsing.children`."""
        with self._database.reading() as connection:
            return browsing.children(connection, [utf8(name) for name in names], key, most)

    def _discard(self, digests: set[str]) -> None:
        """Remove files that no entry names any more; what cannot be removed now is left to `sweep`."""
        if digests:
            with contextlib.suppress(TensorGuardError), self._database.writing() as connection:
                for digest in digests:
                    if not rows.is_used(connection, digest):
                        self._files.discard(self._files.path(digest))

    def _advice(self, name: str, key: str) -> str:
        with self._database.reading() as connection:
            keys = [entry.key for _, entry in rows.named(connection, name, None)]
            if keys:
                return f"it has one under {quote_some(keys)}"
            names = [entry.name for entry in rows.after(connection, key, ("", ""), _MOST_NAMES)]
        close = difflib.get_close_matches(name, names, n=3)
        return f"similar names: {quote_some(close)}" if close else "see them with: tensorguard registry list"

    def _require_possible(self, create: bool) -> None:
        if not self.folder.exists() and not create:
            hint = "make one with: tensorguard registry add"
            raise NotFoundError("there is no registry", where=self.folder, hint=hint)
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError("is not a registry: it is no folder", where=self.folder, hint="give the folder of a registry")
        if self.folder.is_dir() and not (self.folder / DATABASE).exists():
            names = {path.name for path in self.folder.iterdir()} - {*_HARMLESS}
            strange = next((name for name in names if not name.startswith(DATABASE)), None)  # somebody may be making it now
            if strange is not None:
                message = f"is not a registry: it holds {quote(strange)} and no {DATABASE}"
                raise InputError(message, where=self.folder, hint="give another folder")


def _text(text: str) -> str:
    if len(text) > MAX_FACT_CHARACTERS:
        raise UsageError(f"a text of the entry is longer than {MAX_FACT_CHARACTERS} characters", where=text[:100])
    return utf8(text)


def _checked(facts: Facts) -> Facts:
    texts = {name: _text(getattr(facts, name)) for name in Facts.__dataclass_fields__ if name != "parents"}
    if len(facts.parents) > MAX_FACT_CHARACTERS:
        raise UsageError(f"more than {MAX_FACT_CHARACTERS} parents")
    return replace(facts, parents=tuple(map(_text, facts.parents)), **texts)
