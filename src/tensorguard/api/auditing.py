"""From a fingerprint to an audit: search in the registry, comparison of the candidates, obligations, the second opinion."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tensorguard.engines.sizing import processors
from tensorguard.engines.threads import Threads
from tensorguard.errors import InputError, UsageError
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.features import vector
from tensorguard.licences.audit import Audit
from tensorguard.licences.obligations import obligations
from tensorguard.licences.relicensed import binding
from tensorguard.lineage import scan as scanning
from tensorguard.lineage.sampled import is_sampled
from tensorguard.lineage.scan import COMPARED, Scan
from tensorguard.progress import Progress
from tensorguard.registry.entry import Entry, Hit
from tensorguard.registry.registry import Registry
from tensorguard.registry.vectors import search_vectors, source_digest

if TYPE_CHECKING:
    from tensorguard.family.classify import Classification

SCREENED = 20
"""Candidates that the search gives to a first look."""

PARENTS, ALIKE = 2, 0.3
"""Models looked for in what the best candidate leaves unexplained, and how alike they have to be to be compared in full. Merges of two
families in equal parts leave 0.76 and more on the development zoo, 60 to 40 about 0.35; strangers leave up to 0.25 among a thousand."""

_SOMETHING = 1e-2
"""Length of a unit vector's rest from which on it is more than rounding."""


def audit(
    prints: Sequence[Fingerprint],
    known: Registry,
    *,
    progress: Progress,
    compared: int | None = None,
    also: Sequence[Entry] = (),
    itself: str | None = None,
    families: Path | None = None,
    required: bool = False,
    location: str = "",
    registry: str = "",
) -> Audit:
    """Tell what a fingerprint's model is derived from, and what that obliges to.

    Args:
        prints: The public fingerprint, then perhaps that under a secret key, which confirms what the first says.
        known: The registry.
        progress: Hears how far it is.
        compared: How many candidates are compared in full.
        also: Entries that are compared in full whatever the search says.
        itself: The entry that the fingerprint is, which is left out.
        families: A saved clustering for the second opinion, if there is one.
        required: Whether families of other settings are an error.
        location: Where the model is, as the user gave it.
        registry: Where the registry is, likewise.

    Raises:
        InputError: The families are malformed.
        UsageError: A fingerprint has no sketches, or the families are required and do not fit.
    """
    public, most = prints[0], COMPARED if compared is None else compared
    found = _scan(public, known, most, also, itself, progress)
    for again in prints[1:]:
        found = scanning.confirmed(found, _scan(again, known, most, _under(again, also, known), itself, progress))
    ancestors = _ancestors(found, known)
    found = replace(found, notices=(*found.notices, *known.notices))
    return Audit(
        scan=found,
        location=location,
        source_digest=source_digest(public),
        registry=registry,
        obligations=binding(obligations(found, ancestors), ancestors),
        family=None if families is None else _second_opinion(public, families, required=required),
    )


def _under(fingerprint: Fingerprint, entries: Sequence[Entry], known: Registry) -> list[Entry]:
    """Return the entries of the same names under the fingerprint's key, where there are such."""
    key = fingerprint.sketches.key if fingerprint.sketches else ""
    return [entry for each in entries if (entry := known.find(each.name, key)) is not None]


def _scan(
    fingerprint: Fingerprint, known: Registry, compared: int, also: Sequence[Entry], itself: str | None, progress: Progress
) -> Scan:
    """Compare a fingerprint with the candidates of a search; `itself` is the entry that it is, which is left out."""
    if fingerprint.sketches is None:
        raise UsageError("the fingerprint holds no sketches", where=fingerprint.name, hint="make it again without --no-lineage")
    searched = known.count(fingerprint.sketches.key) - (itself is not None)
    hits = [hit for hit in known.search(fingerprint, SCREENED) if hit.entry.name != itself]
    also = [*also, *(entry for entry in _unexplained(fingerprint, hits, known) if entry.name != itself)]
    found = {hit.entry.name for hit in hits}
    hits += [Hit(entry, 0.0, "fixed", 0) for entry in also if entry.name not in found]
    progress.start("candidates", len(hits), "candidates")
    try:
        return scanning.scan(
            fingerprint,
            hits,
            known.fingerprint,
            max(searched, len(hits)),
            engine=Threads(processors()),
            compared=compared,
            also=frozenset(entry.name for entry in also),
        )
    finally:
        progress.finish("candidates")


def _unexplained(fingerprint: Fingerprint, hits: Sequence[Hit], known: Registry) -> list[Entry]:
    """Return entries that are like what the best hit leaves of the search vectors: a merge's parent from another family.

    Where a registry knows many relatives of one parent, they would take all places.
    """
    try:
        best = known.fingerprint(hits[0].entry).sketches if hits else None
    except InputError:  # a damaged entry is left out, and said, when candidates are compared
        return []
    if best is None or fingerprint.sketches is None or is_sampled(fingerprint.sketches, best):
        return []  # what a sample leaves is mostly what was not read
    ours, theirs = search_vectors(fingerprint.sketches), search_vectors(best)
    left = {basis: ours[basis] - (ours[basis] @ theirs[basis]) * theirs[basis] for basis in ours.keys() & theirs.keys()}
    units = {basis: each / norm for basis, each in left.items() if (norm := np.linalg.norm(each)) > _SOMETHING}
    return [hit.entry for hit in known.search_by(fingerprint.sketches.key, units, (), PARENTS) if hit.similarity >= ALIKE]


def _ancestors(found: Scan, known: Registry) -> tuple[Entry, ...]:
    """Return the relatives' entries and those of all their ancestors that the registry knows."""
    entries = {each.entry.name: each.entry for each in found.relatives}
    open_ends = [parent for each in entries.values() for parent in each.facts.parents]
    while open_ends:
        entry = known.find(open_ends.pop())
        if entry is not None and entry.name not in entries:
            entries[entry.name] = entry
            open_ends += entry.facts.parents
    return tuple(entries.values())


def _second_opinion(fingerprint: Fingerprint, families: Path | str, *, required: bool) -> "Classification | None":
    """Return the paper's classification; None if it is not required and the families were made with other settings."""
    # They take scikit-learn, which takes a second to load.
    from tensorguard.family.classify import classify
    from tensorguard.family.clustering import load_clustering

    clustering = load_clustering(Path(families))
    try:
        return classify(vector(fingerprint), clustering)
    except UsageError:
        if required:
            raise
        return None
