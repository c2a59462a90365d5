"""Somebody's fingerprints put into a registry as claims, many in one transaction; what was verified here goes before them."""

from collections.abc import Iterator
from typing import NoReturn

from tensorguard.errors import UsageError, quote
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.registry.adding import Addition
from tensorguard.registry.entry import Entry, Facts
from tensorguard.registry.outcome import Added
from tensorguard.registry.registry import Registry

_AT_ONCE, _AT_ONCE_BYTES = 256, 1 << 26
"""Most fingerprints, and bytes of them, in one transaction: whoever is interrupted loses no more than these."""


class Claims:
    """Claims on their way into a registry; names and keys may come once."""

    def __init__(self, registry: Registry, *, force: bool) -> None:
        self._registry, self._force = registry, force
        self._waiting: list[tuple[Addition, Entry | None]] = []
        self._last: tuple[Fingerprint, Addition] | None = None

    def add(self, found: Fingerprint, facts: Facts, name: str) -> Iterator[Added]:
        """Take a claim; yields what became of it or of earlier ones, as soon as that is sure."""
        try:
            addition = self._addition(found, facts, name)
            existing = entry_of(self._registry, addition.row.entry.name, addition.row.entry.key)
            if existing is not None and existing.verified and not self._force:
                if existing.source_digest != addition.row.entry.source_digest:
                    refuse(existing)
                yield Added(name, "there already", (existing,))
                return
        except UsageError as error:
            yield Added(name, "failed", error=error)
            return
        self._waiting.append((addition, existing))
        if len(self._waiting) >= _AT_ONCE or sum(len(each.raw) for each, _ in self._waiting) >= _AT_ONCE_BYTES:
            yield from self.finish()

    def finish(self) -> Iterator[Added]:
        """Add those that wait."""
        waiting, self._waiting = self._waiting, []
        entries = self._registry.add_all([addition for addition, _ in waiting]) if waiting else []
        for entry, (_, existing) in zip(entries, waiting, strict=True):
            if existing is None:
                yield Added(entry.name, "added", (entry,))
            else:
                same = (entry.fingerprint, entry.facts, existing.verified) == (existing.fingerprint, existing.facts, False)
                yield Added(entry.name, "there already" if same else "replaced", (entry,))

    def _addition(self, found: Fingerprint, facts: Facts, name: str) -> Addition:
        """Return what is stored of a claim; of one fingerprint under many names, most of it is made once."""
        if self._last is None or self._last[0] is not found:
            self._last = found, Addition.of(found, facts, name=name, origin="imported", verified=False)
        return self._last[1].called(name, facts)


def entry_of(registry: Registry, name: str, key: str) -> Entry | None:
    """Return the entry of exactly this name and key, or None."""
    found = registry.find(name, key)
    return found if found is not None and found.name == name else None


def refuse(existing: Entry) -> NoReturn:
    """Say that a name stands for other weights, which were verified here."""
    raise UsageError(
        f"the registry has verified weights of the name {quote(existing.name)}, and these are others",
        hint="give these another name (--name), or replace those (--force)",
    )
