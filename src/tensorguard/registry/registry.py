"""The registry: a folder with one SQLite database, one file per fingerprint, and an index that can be rebuilt."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from tensorguard.fingerprint.base import Fingerprint
from tensorguard.registry.entry import Entry, Facts, Hit, Origin


class Registry:
    """Known models. Safe under concurrent readers and writers, of threads and processes, and under killed ones."""

    def __init__(self, folder: Path | str, *, create: bool = False) -> None:
        """Open a registry.

        Raises:
            NotFoundError: There is none and `create` is false.
            InputError: The folder holds something else, or a newer version's registry.
        """
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        raise NotImplementedError

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
            UsageError: The fingerprint has no sketches.
            ResourceError: The folder cannot be written.
        """
        raise NotImplementedError

    def find(self, name: str, key: str = "public") -> Entry | None:
        """Return the entry of a name (or of a repository of that name), or None."""
        raise NotImplementedError

    def entry(self, name: str, key: str = "public") -> Entry:
        """Return the entry of a name.

        Raises:
            NotFoundError: There is none; the hint names similar ones.
        """
        raise NotImplementedError

    def entries(self, key: str | None = None) -> Iterator[Entry]:
        """Yield the entries of a key, or of all, by name."""
        raise NotImplementedError

    def count(self, key: str = "public") -> int:
        """Return how many entries of a key there are: what p-values of a search are corrected for."""
        raise NotImplementedError

    def fingerprint(self, entry: Entry) -> Fingerprint:
        """Read an entry's fingerprint.

        Raises:
            InputError: The file is missing, or is not the one that was stored.
        """
        raise NotImplementedError

    def remove(self, name: str, key: str | None = None) -> int:
        """Remove the entries of a name, of one key or all; returns how many."""
        raise NotImplementedError

    def search(self, fingerprint: Fingerprint, top: int = 32) -> list[Hit]:
        """Return the entries of the fingerprint's key that are most like it, best first.

        Those with equal digests come first, then by similarity.
        """
        raise NotImplementedError
