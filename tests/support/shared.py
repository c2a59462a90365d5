"""Registries in object storage that is this process's memory, or a folder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from obstore.store import LocalStore, MemoryStore

from tensorguard.registry.entry import Entry, Facts
from tensorguard.registry.objects import Shared
from tensorguard.registry.rows import Row
from tensorguard.registry.shared import SharedRegistry
from tensorguard.sources.objects import Objects

Said = dict[tuple[str, str], tuple[Entry, tuple[tuple[str, bytes], ...], tuple[int, ...], str]]
"""All that a registry says of each name and key: the entry, its vectors, digests and layout."""


def in_memory() -> Objects:
    return Objects(MemoryStore(), "memory://known", "some/known")


def in_folder(folder: Path) -> Objects:
    return Objects(LocalStore(folder, mkdir=True), str(folder), "known")


def opened(objects: Objects, mirror: Path, clock: Callable[[], int] | None = None, *, create: bool = True) -> SharedRegistry:
    """The registry, through a mirror; with a clock of its own."""
    registry = SharedRegistry(Shared(objects), mirror, create=create)
    if clock is not None:
        registry._clock = clock  # type: ignore[method-assign]
    return registry


def row(name: str, family: str = "", key: str = "public") -> Row:
    """A row of made-up vectors that depend on what it says."""
    rng = np.random.default_rng([len(name), *name.encode(), *family.encode()])
    vectors = {basis: (v := rng.standard_normal(16)) / np.linalg.norm(v) for basis in ("fixed", "words")}
    digest = rng.bytes(32).hex()
    entry = Entry(name, key, Facts(family=family), fingerprint=digest, source_digest=digest[:32], added="2026-01-01T00:00:00Z")
    return Row(entry, vectors, (int(rng.integers(2**62)), -1), f'[["q",0,"main",{len(family)},4,1]]')


def said(registry: SharedRegistry) -> Said:
    """All that a registry says, brought up to date."""
    registry._database.refresh(now=True)
    with registry._database.reading() as connection:

        def rest(text: str, number: int) -> tuple[tuple[str, bytes], ...]:
            return tuple(connection.execute(text, (number,)).fetchall())

        vectors = "SELECT basis, numbers FROM vector JOIN space ON space.id = space WHERE entry = ? ORDER BY basis"
        digests = "SELECT value, x'' FROM digest WHERE entry = ? ORDER BY value"
        layout = "SELECT places, x'' FROM layout JOIN shape ON shape.layout = layout.id WHERE entry = ?"
        numbers = {(name, key): number for number, name, key in connection.execute("SELECT id, name, key FROM entry")}
        return {
            (entry.name, entry.key): (
                entry,
                rest(vectors, number),
                tuple(int(value) for value, _ in rest(digests, number)),
                "".join(text for text, _ in rest(layout, number)),
            )
            for entry in registry.entries()
            for number in [numbers[entry.name, entry.key]]
        }
