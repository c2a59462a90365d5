"""What a model is derived from, told by a registry of known models, and what that obliges to."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tensorguard.api.fingerprints import Settings
from tensorguard.api.lineage import load_fingerprint
from tensorguard.api.registry_folder import registered_name
from tensorguard.engines.sizing import processors
from tensorguard.engines.threads import Threads
from tensorguard.errors import UsageError
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.features import vector
from tensorguard.licences.audit import Audit
from tensorguard.licences.obligations import obligations
from tensorguard.licences.relicensed import binding
from tensorguard.lineage import scan as scanning
from tensorguard.lineage.scan import COMPARED, Scan
from tensorguard.probes.rademacher import PUBLIC, Key
from tensorguard.progress import Progress, Silent
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

FAMILIES = "families.json"
"""A clustering beside the registry's database, for the second opinion; `tensorguard cluster --save` writes one."""


def scan(
    model: Path | str,
    registry: Path | str,
    *,
    settings: Settings | None = None,
    key: Key = PUBLIC,
    families: Path | str | None = None,
    compared: int = COMPARED,
    also: Sequence[Entry] = (),
    progress: Progress | None = None,
) -> Audit:
    """Tell what a model is derived from, and what that obliges to.

    Args:
        model: A model, an adapter, a `.tgfp`, or `registry:NAME`, which is compared with all other entries.
        registry: Folder of the registry.
        settings: How to fingerprint the model; its key has to be the public one.
        key: A secret key under which the registry keeps fingerprints, too: what public probes say is confirmed with them.
        families: A saved clustering for the paper's family classification; by default the registry's `families.json`, if any.
        compared: How many candidates are compared in full.
        also: Entries that are compared in full whatever the search says, such as those of declared bases.
        progress: Hears how far it is.

    Raises:
        NotFoundError: There is no such model, or no registry.
        InputError: One of them is malformed.
        UsageError: The fingerprint has no sketches, or a key is given for a `.tgfp`, which is of one key only.
    """
    chosen = families or Path(registry) / FAMILIES
    opinion = families is not None or Path(chosen).is_file()
    settings, progress = replace(settings or Settings(), registry=registry, features=opinion), progress or Silent()
    with Registry(registry) as known:
        fingerprint = load_fingerprint(model, settings=settings, progress=progress)
        itself = None if registered_name(model) is None else fingerprint.name
        found = _scan(fingerprint, known, compared, also, itself, progress)
        if key != PUBLIC:
            again = load_fingerprint(model, settings=replace(settings, key=key), progress=progress)
            if again.sketches is None or again.sketches.key != key.identity():
                raise UsageError(
                    "this fingerprint is of another key, so nothing can be confirmed", where=model, hint="give the model itself"
                )
            found = scanning.confirmed(found, _scan(again, known, compared, _under(again, also, known), itself, progress))
        ancestors = _ancestors(found, known)
        return Audit(
            scan=found,
            location=str(model),
            source_digest=source_digest(fingerprint),
            registry=str(registry),
            obligations=binding(obligations(found, ancestors), ancestors),
            family=_second_opinion(fingerprint, chosen, required=families is not None) if opinion else None,
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
    best = known.fingerprint(hits[0].entry).sketches if hits else None
    if best is None or fingerprint.sketches is None:
        return []
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
