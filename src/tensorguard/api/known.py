"""Look into registries: what they know, of whom it was made, what two of them know differently; and hand it on."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tensorguard.errors import NotFoundError, quote
from tensorguard.progress import Progress
from tensorguard.registry.archive import read_archive, write_archive
from tensorguard.registry.difference import Difference, difference
from tensorguard.registry.entry import Entry
from tensorguard.registry.registry import Registry


def kin(registry: Registry, entry: Entry) -> tuple[list[tuple[str, Entry | None]], list[Entry]]:
    """Return the parents that an entry's facts name, each with its entry if there is one, and the entries that name it as a parent."""
    names = [name for name in (entry.name, entry.facts.repository) if name]
    parents = [(name, _called(registry, name, entry.key)) for name in entry.facts.parents]
    return parents, registry.children(names, entry.key, sys.maxsize)


def export(
    registry: Registry, path: Path, names: Sequence[str] = (), *, keyed: bool = False, progress: Progress | None = None
) -> tuple[list[Entry], list[Entry], int]:
    """Write entries and their fingerprints to one file; the same registry gives the same bytes.

    Args:
        registry: The registry.
        path: The file.
        names: Which entries; all by default.
        keyed: Also the fingerprints of secret keys; the keys themselves are in no registry.
        progress: Hears how far it is.

    Returns:
        What was written, what was left out because of its key, and how many bytes it took.

    Raises:
        NotFoundError: There is no entry of a name.
        InputError: A fingerprint is damaged.
        ResourceError: The file cannot be written.
    """
    chosen = named(registry, names)
    written = [entry for entry in chosen if keyed or entry.key == "public"]
    size = write_archive(path, written, {entry.fingerprint: registry.path(entry) for entry in written}, progress)
    return written, [entry for entry in chosen if entry not in written], size


def differ(first: Path, second: Path) -> Difference:
    """Tell what two registries, or archives of them, know differently.

    Raises:
        NotFoundError: There is no such registry or file.
        InputError: It is something else, or damaged.
    """
    return difference(_entries(first), _entries(second))


def named(registry: Registry, names: Sequence[str]) -> list[Entry]:
    """Return the entries of exactly these names, under whatever key; all if there are no names.

    Raises:
        NotFoundError: There is none of a name; the hint names similar ones.
    """
    found = [entry for entry in registry.entries() if not names or entry.name in names]
    for name in set(names) - {entry.name for entry in found}:
        entry = registry.entry(name)
        raise NotFoundError(f"no entry is called {quote(name)}", hint=f"{quote(entry.name)} is of that repository")
    return found


def _called(registry: Registry, name: str, key: str) -> Entry | None:
    """Return an entry of a name or repository, whatever the case of its letters."""
    wanted = name.casefold()
    found = registry.called(re.findall("[A-Za-z0-9]+", name), lambda other: other.casefold() == wanted, key)
    return next(iter(found), None)


def _entries(path: Path) -> list[Entry]:
    if path.is_dir():
        with Registry(path) as registry:
            return list(registry.entries())
    if not path.exists():
        raise NotFoundError("no such registry or archive", where=path)
    return [entry for entry, _ in read_archive(path)]
