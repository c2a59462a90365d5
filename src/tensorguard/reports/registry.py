"""What the commands of a registry tell."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tensorguard.errors import TensorGuardError, quote
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.registry.difference import Difference
from tensorguard.registry.entry import Entry
from tensorguard.registry.outcome import Added, Verified
from tensorguard.reports.document import Cell, Document, Table

_COLUMNS = ("name", "family", "publisher", "licence", "released", "key", "verified")
_SHOWN = 16
"""Digits of a digest that tables show."""


def listed(entries: Sequence[Entry], registry: str, filters: dict[str, Any], notices: Sequence[str] = ()) -> Document:
    """Return the document of `registry list`."""
    verified = sum(entry.verified for entry in entries)
    return Document(
        kind="registry-list",
        title="Known models",
        summary=f"{_count(len(entries), 'entry', 'entries')}, {verified} verified.",
        result=entries,
        settings={"registry": registry, **filters},
        notices=notices,
        tables=[_entries("Entries", entries)] if entries else [],
    )


def shown(
    entry: Entry,
    fingerprint: Fingerprint,
    parents: Sequence[tuple[str, Entry | None]],
    children: Sequence[Entry],
    registry: str,
) -> Document:
    """Return the document of `registry show`: the entry, what its fingerprint holds, and whom the registry knows of its kin."""
    holds = _holds(fingerprint)
    facts: list[list[Cell]] = [
        [name, value if isinstance(value, str) else ", ".join(value)] for name, value in _facts(entry).items() if value
    ]
    about: list[list[Cell]] = [
        ["key", entry.key],
        ["origin", entry.origin],
        ["verified", _yes(entry.verified)],
        ["added", entry.added],
        ["made by", f"TensorGuard {entry.tool}"],
        ["weights (source digest)", entry.source_digest],
        ["fingerprint (BLAKE3)", entry.fingerprint],
        ["specification", entry.specification],
    ]
    kin: list[list[Cell]] = [["parent", name, "yes" if found else "no"] for name, found in parents]
    kin += [["child", child.name, "yes"] for child in children]
    tables = [
        *(
            [Table("What people say of it", ("fact", "value"), facts, "Facts are shown and followed, and never evidence.")]
            if facts
            else []
        ),
        Table("The entry", ("field", "value"), about),
        Table(
            "What its fingerprint holds", ("part", "value"), [[name.replace("_", " "), value] for name, value in holds.items()]
        ),
        *([Table("Its kin, as facts say", ("relation", "model", "in the registry"), kin)] if kin else []),
    ]
    return Document(
        kind="registry-show",
        title=f"What is known of {quote(entry.name)}",
        summary=_in_short(entry, fingerprint),
        result={
            "entry": entry,
            "holds": holds,
            "parents": [{"name": name, "known": found is not None} for name, found in parents],
            "children": [child.name for child in children],
        },
        settings={"registry": registry},
        inputs=[{"model": entry.name}],
        notices=fingerprint.notices,
        tables=tables,
    )


def added(kind: str, outcomes: Sequence[Added], settings: Mapping[str, Any]) -> Document:
    """Return the document of `registry add`, `build` or `import`: what became of each model."""
    rows: list[list[Cell]] = [
        [entry.name, outcome.status, entry.facts.family, entry.facts.licence, entry.key, _yes(entry.verified)]
        for outcome in outcomes
        for entry in outcome.entries
    ]
    return Document(
        kind=kind,
        title="Added to the registry",
        summary=f"{_count(len(outcomes), 'model', 'models')}: {_counted([outcome.status for outcome in outcomes])}.",
        result=[
            {
                "given": outcome.given,
                "status": outcome.status,
                "entries": outcome.entries,
                "error": outcome.error.fields() if outcome.error else None,
            }
            for outcome in outcomes
        ],
        settings=settings,
        inputs=[{"model": outcome.given} for outcome in outcomes],
        skipped=[{"name": each.given, "reason": _reason(each.error)} for each in outcomes if each.error],
        tables=[Table("Entries", ("name", "status", "family", "licence", "key", "verified"), rows)] if rows else [],
    )


def verified(found: Sequence[Verified], problems: Sequence[str], swept: int, settings: Mapping[str, Any]) -> Document:
    """Return the document of `registry verify`."""
    rows: list[list[Cell]] = [
        [each.entry.name, each.entry.key, each.status, _yes(each.entry.verified), each.reason] for each in found
    ]
    return Document(
        kind="registry-verify",
        title="Verified",
        summary=f"{_count(len(found), 'entry', 'entries')}: {_counted([each.status for each in found])}.",
        result={
            "entries": [
                {
                    "name": each.entry.name,
                    "key": each.entry.key,
                    "status": each.status,
                    "verified": each.entry.verified,
                    "reason": each.reason,
                }
                for each in found
            ],
            "problems": problems,
            "swept": swept,
        },
        settings=settings,
        inputs=[{"model": each.entry.name} for each in found],
        notices=[*problems, *([f"{_count(swept, 'file', 'files')} that no entry names: removed"] if swept else [])],
        tables=[Table("Entries", ("name", "key", "status", "verified", "why"), rows)] if rows else [],
    )


def removed(counts: Sequence[tuple[str, int]], registry: str) -> Document:
    """Return the document of `registry remove`: (name, how many entries were removed)."""
    total = sum(count for _, count in counts)
    return Document(
        kind="registry-remove",
        title="Removed",
        summary=f"{_count(total, 'entry', 'entries')} removed.",
        result=[{"name": name, "removed": count} for name, count in counts],
        settings={"registry": registry},
        inputs=[{"model": name} for name, _ in counts],
        tables=[Table("Removed", ("name", "entries"), counts)],
    )


def exported(
    entries: Sequence[Entry], sizes: Mapping[str, int], left_out: Sequence[Entry], registry: str, notices: Sequence[str] = ()
) -> Document:
    """Return the document of `registry export`: what was written, and the bytes of each file."""
    several = f" in {len(sizes)} files" if len(sizes) > 1 else ""
    return Document(
        kind="registry-export",
        title="Exported",
        summary=f"{_count(len(entries), 'entry', 'entries')} exported{several}, {sum(sizes.values()):,} bytes.",
        result={
            "path": next(iter(sizes)),
            "bytes": sum(sizes.values()),
            "parts": [{"path": path, "bytes": size} for path, size in sizes.items()],
            "entries": entries,
        },
        settings={"registry": registry},
        inputs=[{"model": entry.name} for entry in entries],
        skipped=[
            {"name": entry.name, "reason": f"of the secret key {entry.key}; --with-key takes it along"} for entry in left_out
        ],
        notices=notices,
        tables=[_entries("Entries", entries)] if entries else [],
    )


def differing(first: str, second: str, found: Difference) -> Document:
    """Return the document of `registry diff`."""
    changes: list[list[Cell]] = [
        [change.name, change.key, field, *(_short(field, value) for value in values)]
        for change in found.changed
        for field, *values in change.changed
    ]
    tables = [
        *([_entries("Only in the first", found.only_first)] if found.only_first else []),
        *([_entries("Only in the second", found.only_second)] if found.only_second else []),
        *([Table("Changed", ("name", "key", "field", "first", "second"), changes)] if changes else []),
    ]
    same = f"{_count(found.same, 'entry is', 'entries are')} the same"
    apart = (
        f"{len(found.only_first)} only in the first, {len(found.only_second)} only in the second, {len(found.changed)} changed"
    )
    return Document(
        kind="registry-diff",
        title="What two registries know differently",
        summary=f"{same}; {apart}.",
        result=found,
        inputs=[{"model": first}, {"model": second}],
        tables=tables,
    )


def indexed(entries: int, vectors: int, registry: str) -> Document:
    """Return the document of `registry index`."""
    small = "" if vectors else ": so few are searched faster without an index"
    return Document(
        kind="registry-index",
        title="Search index",
        summary=f"{_count(vectors, 'vector', 'vectors')} of {_count(entries, 'public entry', 'public entries')} indexed{small}.",
        result={"entries": entries, "vectors": vectors},
        settings={"registry": registry},
    )


def _entries(title: str, entries: Sequence[Entry]) -> Table:
    rows: list[list[Cell]] = [
        [
            entry.name,
            entry.facts.family,
            entry.facts.publisher,
            entry.facts.licence,
            entry.facts.released,
            entry.key,
            _yes(entry.verified),
        ]
        for entry in entries
    ]
    return Table(title, _COLUMNS, rows)


def _in_short(entry: Entry, fingerprint: Fingerprint) -> str:
    made = "computed here from the weights" if entry.verified else "imported, a claim until `registry verify` recomputes it"
    licence = f", licence {quote(entry.facts.licence)}" if entry.facts.licence else ""
    return f"{quote(entry.name)}: {fingerprint.architecture}, {fingerprint.elements:,} parameters{licence}; {made}."


def _holds(fingerprint: Fingerprint) -> dict[str, Any]:
    sketches = fingerprint.sketches
    return {
        "architecture": fingerprint.architecture,
        "parameters": fingerprint.elements,
        "tensors": len(fingerprint.digests),
        "blocks": len(sketches.blocks) if sketches else 0,
        "width": sketches.width if sketches else 0,
        "matrices": len(sketches.places) if sketches else 0,
    }


def _facts(entry: Entry) -> dict[str, Any]:
    facts = entry.facts
    return {
        "repository": facts.repository,
        "revision": facts.revision,
        "family": facts.family,
        "publisher": facts.publisher,
        "licence": facts.licence,
        "released": facts.released,
        "relation": facts.relation,
        "parents": facts.parents,
    }


def _short(field: str, value: str) -> str:
    return value[:_SHOWN] if field in ("source_digest", "fingerprint") else value


def _reason(error: TensorGuardError) -> str:
    return f"{error} ({error.hint})" if error.hint else f"{error}"


def _counted(statuses: Sequence[str]) -> str:
    """Return how many there are of each status: `3 added, 1 failed`."""
    return ", ".join(f"{count} {status}" for status, count in Counter(statuses).items()) or "nothing to do"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
