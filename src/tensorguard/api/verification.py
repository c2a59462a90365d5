"""Is a registry whole, and are its fingerprints those of the weights that they are said to be of?"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorguard.api.at_hand import find_model
from tensorguard.api.fingerprints import Settings, fingerprint_model
from tensorguard.api.known import named
from tensorguard.errors import TensorGuardError, UsageError, quote
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.sketch_file import tensors
from tensorguard.fingerprint.sketches import Sketches
from tensorguard.probes.rademacher import PUBLIC
from tensorguard.progress import Progress, Silent
from tensorguard.registry.entry import Entry
from tensorguard.registry.outcome import Verified
from tensorguard.registry.registry import Registry
from tensorguard.registry.vectors import source_digest

_TOLERANCE = 5e-3
"""Largest relative difference of an array of sketches that another type of processor may make: many are kept in 8 bits, where a
rounding may fall the other way. The digests of all values have to be equal first, so a claim gains nothing by staying this close."""


def verify(
    registry: Registry,
    names: Sequence[str] = (),
    *,
    model: Path | None = None,
    search: Sequence[Path] = (),
    settings: Settings | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Iterator[Verified]:
    """Read every entry's file; with models at hand, compute its fingerprint again from the weights, and mark it verified if it is that.

    Args:
        registry: The registry.
        names: Which entries; all by default.
        model: The model of the one entry that is named.
        search: Folders in which models are looked for by repository or name; see `find_model`.
        settings: How to open models, and the secret key, without which keyed entries are read only.
        workers: How many threads; all processors by default.
        progress: Hears how far it is.

    Yields:
        What was found of each.

    Raises:
        NotFoundError: There is no entry of a name.
        UsageError: A model without the one name that it is to be compared with.
    """
    settings, progress = settings or Settings(), progress or Silent()
    if model is not None and len(names) != 1:
        raise UsageError("a model is compared with one entry", hint="name it: tensorguard registry verify NAME --model PATH")
    entries = named(registry, names)
    progress.start("entries", len(entries), "entries")
    try:
        for entry in entries:
            yield _verified(registry, entry, model, search, settings, workers, progress)
            progress.advance("entries", 1)
    finally:
        progress.finish("entries")


def _verified(
    registry: Registry,
    entry: Entry,
    model: Path | None,
    search: Sequence[Path],
    settings: Settings,
    workers: int | None,
    progress: Progress,
) -> Verified:
    try:
        claimed = registry.fingerprint(entry)
    except TensorGuardError as error:
        return Verified(entry, "damaged", str(error))
    # The database names the file by its digest; that it is this entry's file is what the entry's own digests say.
    if (source_digest(claimed), claimed.sketches.key if claimed.sketches else "") != (entry.source_digest, entry.key):
        return Verified(entry, "damaged", "its file is a sound fingerprint, but of other weights or another key than it says")
    if model is None and not search:
        return Verified(entry, "sound")
    if entry.key not in ("public", settings.key.identity()):
        return Verified(entry, "not at hand", "it is under a secret key that was not given")
    place = model or find_model(entry.facts.repository, search) or find_model(entry.name, search)
    if place is None:
        return Verified(entry, "not at hand", "in none of the folders searched")
    if entry.key == "public":
        settings = replace(settings, key=PUBLIC)
    settings = replace(settings, quick=claimed.coverage is not None)
    try:
        found = fingerprint_model(settings.open(place), settings=settings, workers=workers, progress=progress)
    except TensorGuardError as error:
        return Verified(entry, "failed", str(error))
    contradiction = _contradiction(claimed, found)
    if contradiction:
        return Verified(entry, "contradicted", f"{contradiction} (compared with {quote(place)})")
    now = entry if entry.verified else registry.add(found, entry.facts, name=entry.name, origin=entry.origin)
    return Verified(now, "confirmed")


def _contradiction(claimed: Fingerprint, found: Fingerprint) -> str:
    """Return in what a stored fingerprint is not that of the weights, a sentence; empty if it is."""
    if claimed.digests != found.digests:
        other = len(set(found.digests) - set(claimed.digests))
        return (
            f"{other} of the model's {len(found.digests)} tensors are not in the fingerprint, which has {len(claimed.digests)}"
        )
    if claimed.sketches is None or found.sketches is None or _described(claimed.sketches) != _described(found.sketches):
        return "all tensors' digests agree, but its sketches are said to be of other matrices"
    differing = [name for name, apart in _apart(claimed.sketches, found.sketches).items() if not apart <= _TOLERANCE]
    if differing:
        return f"all tensors' digests agree, but its sketches were not made of them: {', '.join(differing)} differ"
    if claimed.features.keys() != found.features.keys():
        return "all tensors' digests agree, but it has other numbers than a fingerprint of this kind"
    if claimed.specification == found.specification and not np.allclose(
        list(claimed.features.values()), [found.features[name] for name in claimed.features], rtol=_TOLERANCE, atol=1e-9
    ):
        return "all tensors' digests agree, but its 16 numbers are others"
    return ""


def _described(sketches: Sketches) -> tuple[object, ...]:
    return sketches.key, sketches.width, sketches.blocks, sketches.places, sketches.sampled, sketches.whole


def _apart(claimed: Sketches, found: Sketches) -> dict[str, float]:
    """Return how far two models' arrays are apart, relatively; neurons of equal rank may have changed places."""
    one, other = tensors(claimed), tensors(found)
    same = claimed.unit_index == found.unit_index
    apart = {name: _relative(array, other[name]) for name, array in one.items()}
    apart["lineage.unit_index"] = float(np.mean(~same)) if same.size else 0.0
    apart["lineage.unit_vectors"] = _relative(claimed.unit_vectors[same], found.unit_vectors[same])
    return {name.removeprefix("lineage."): distance for name, distance in apart.items()}


def _relative(one: NDArray[Any], other: NDArray[Any]) -> float:
    if one.shape != other.shape:
        return float("inf")
    wide = one.astype(np.float64)
    return float(np.linalg.norm(wide - other) / max(np.linalg.norm(wide), np.finfo(np.float32).tiny))
