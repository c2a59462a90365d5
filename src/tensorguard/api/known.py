"""Look into registries: what they know, of whom it was made, what two of them know differently; and hand it on."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tensorguard.errors import NotFoundError, quote
from tensorguard.progress import Progress
from tensorguard.registry.archive import parts, read_archive, write_archive
from tensorguard.registry.difference import Difference, difference
from tensorguard.registry.entry import Entry
from tensorguard.registry.opening import open_registry
from tensorguard.registry.registry import Registry
from tensorguard.sources.object_names import object_address


def kin(registry: Registry, entry: Entry) -> tuple[list[tuple[str, Entry | None]], list[Entry]]:
    """Return the parents that an entry's facts name, each with its entry if there is one, and the entries that name it as a parent."""
    names = [name for name in (entry.name, entry.facts.repository) if name]
    parents = [(name, _called(registry, name, entry.key)) for name in entry.facts.parents]
    return parents, registry.children(names, entry.key, sys.maxsize)


def export(
    registry: Registry, path: Path, names: Sequence[str] = (), *, keyed: bool = False, progress: Progress | None = None
) -> tuple[list[Entry], list[Entry], dict[Path, int]]:
    """Write entries and their fingerprints to a file; the same registry gives the same bytes.

    More than one archive can say something of go into several: `known.tar`, `known-2.tar`, `known-3.tar` ..., by name.

    Args:
        registry: The registry.
        path: The file.
        names: Which entries; all by default.
        keyed: Also the fingerprints of secret keys; the keys themselves are in no registry.
        progress: Hears how far it is.

    Returns:
        What was written, what was left out because of its key, and the bytes of each file.

    Raises:
        NotFoundError: There is no entry of a name.
        InputError: A fingerprint is damaged.
        ResourceError: A file cannot be written.
    """
    written: list[Entry] = []
    left_out: list[Entry] = []
    for entry in named(registry, names):
        (written if keyed or entry.key == "public" else left_out).append(entry)
    sizes = {}
    for number, part in enumerate(parts(written), 1):
        place = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
        sizes[place] = write_archive(place, part, {entry.fingerprint: registry.path(entry) for entry in part}, progress)
    return written, left_out, sizes


def differ(first: Path | str, second: Path | str) -> Difference:
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


def _entries(place: Path | str) -> list[Entry]:
    path = Path(place)
    if object_address(place) is not None or path.is_dir():
        with open_registry(place) as registry:
            return list(registry.entries())
    if not path.exists():
        raise NotFoundError("no such registry or archive", where=path)
    return [entry for entry, _ in read_archive(path)]
