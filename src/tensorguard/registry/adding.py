"""Adding a fingerprint: what is kept of it, made before anybody has to wait, and put in its place under the write lock."""

import sqlite3
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

import blake3

from tensorguard.errors import UsageError
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.file import encode_fingerprint
from tensorguard.registry import layouts, rows
from tensorguard.registry.entry import Entry, Facts, Origin
from tensorguard.registry.rows import Row
from tensorguard.registry.texts import checked_facts, checked_text
from tensorguard.registry.vectors import search_digests, search_vectors, source_digest
from tensorguard.version import __version__


@dataclass(frozen=True, slots=True)
class Addition:
    """A fingerprint that is about to be added: its file's bytes, and its row.

    One made of another by `called` shares the bytes and the vectors with it.
    """

    raw: bytes
    row: Row

    @classmethod
    def of(
        cls, fingerprint: Fingerprint, facts: Facts, *, name: str | None = None, origin: Origin = "made", verified: bool = True
    ) -> Self:
        """Make what `Registry.add` and `Registry.add_all` store.

        Raises:
            UsageError: The fingerprint has no sketches, its name is empty, or a text is too long.
        """
        sketches = fingerprint.sketches
        if sketches is None:
            raise UsageError("a fingerprint without sketches cannot be searched by", where=fingerprint.name)
        raw = encode_fingerprint(fingerprint)
        entry = Entry(
            name=_name(fingerprint.name if name is None else name),
            key=checked_text(sketches.key),
            facts=checked_facts(facts),
            source_digest=source_digest(fingerprint),
            fingerprint=blake3.blake3(raw).hexdigest(),
            specification=fingerprint.specification,
            origin=origin,
            verified=verified,
            added=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            tool=__version__,
        )
        return cls(raw, Row(entry, search_vectors(sketches), search_digests(fingerprint), layouts.layout(sketches.places)))

    def called(self, name: str, facts: Facts) -> Self:
        """Return an addition of the same fingerprint under another name, with other facts.

        Raises:
            UsageError: The name is empty, or a text is too long.
        """
        entry = replace(self.row.entry, name=_name(name), facts=checked_facts(facts))
        return replace(self, row=replace(self.row, entry=entry))

    def store(self, connection: sqlite3.Connection) -> set[str]:
        """Put its row in its place, under the write lock; returns what it replaces, by digests whose files may be needless now."""
        entry = self.row.entry
        before = rows.stored(connection, entry.name, entry.key)
        if [(fingerprint, tool) for _, fingerprint, tool in before] == [(entry.fingerprint, entry.tool)]:
            rows.update(connection, before[0][0], entry)
            layouts.add(connection, [(before[0][0], self.row.layout)])
            return set()
        for number, *_ in before:
            rows.delete(connection, number)
        rows.insert(connection, self.row)
        return {fingerprint for _, fingerprint, _ in before} - {entry.fingerprint}


def _name(text: str) -> str:
    checked = checked_text(text)
    if not checked:
        raise UsageError("an entry of a registry needs a name")
    return checked
