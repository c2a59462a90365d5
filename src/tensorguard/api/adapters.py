"""Adapters without their base: against each other, against whole models, and against the models of a registry."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from tensorguard.adapters.deltas import Delta, read_deltas
from tensorguard.adapters.factors import matrix
from tensorguard.api.models import open_model
from tensorguard.api.registry_folder import registry_folder
from tensorguard.errors import UsageError, utf8
from tensorguard.formats.adapter import AdapterFiles, is_adapter, read_adapter
from tensorguard.lineage.adapted.contained import Containment, measure
from tensorguard.lineage.adapted.fit import Features, Fit, adapter_features, base_features, shapes_fit, sketches_answer
from tensorguard.lineage.adapted.layers import ANSWERS, Correspondence
from tensorguard.lineage.adapted.pair import ALARM, AdapterPair, compare_deltas
from tensorguard.lineage.corrections import bonferroni
from tensorguard.probes.rademacher import PUBLIC, Key
from tensorguard.progress import Progress, Silent
from tensorguard.registry import layouts
from tensorguard.registry.opening import open_registry
from tensorguard.registry.registry import Registry
from tensorguard.sources.places import locate
from tensorguard.sources.remote import Location
from tensorguard.tensors.storage import stored_tensors

Strength = Literal["strong", "fair", "dimensions", "none"]


@dataclass(frozen=True, slots=True)
class Adapter:
    """An opened adapter.

    Attributes:
        name: What to call it.
        location: Where it is.
        named_base: What its configuration calls its base: a claim.
        deltas: What it adds, by place.
        files: The files as opened.
        notices: Things to know, a sentence each.
    """

    name: str
    location: str
    named_base: str
    deltas: tuple[Delta, ...] = field(repr=False)
    files: AdapterFiles = field(repr=False)
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model of the registry as an adapter's base.

    Attributes:
        name: The entry's name.
        fit: Whether its shapes allow it.
        layers: Whether the adapter's layers answer to its layers; None where the shapes do not fit.
        log10_p: log10 of that p-value, corrected for all entries that fit.
    """

    name: str
    fit: Fit
    layers: Correspondence | None
    log10_p: float

    @property
    def answers(self) -> bool:
        """Whether the weights say that it is the base, or a relative of it."""
        return self.log10_p < ANSWERS

    @property
    def strength(self) -> Strength:
        """How strong that is: by the weights, beyond doubt or not, or by nothing but dimensions, which all models of one shape share."""
        if not self.fit.fits:
            return "none"
        return "strong" if self.log10_p < ALARM else "fair" if self.answers else "dimensions"


def holds_adapter(path: Location | str) -> bool:
    """Say whether a path is an adapter and not a whole model."""
    return is_adapter(locate(path))


def open_adapter(path: Location | str) -> Adapter:
    """Open a LoRA or DoRA adapter without its base, and read its factors.

    Raises:
        NotFoundError: There is no such path.
        InputError: It is malformed, or of a kind whose change cannot be told without the base.
        UsageError: It is a whole model.
    """
    place = locate(path)
    if place.exists() and not is_adapter(place):
        raise UsageError("not an adapter", where=place, hint="give the folder that PEFT's save_pretrained wrote")
    files = read_adapter(place)
    named = files.config.get("base_model_name_or_path")
    notices = list(files.notices)
    if files.config.get("use_dora") is True:
        notices.append(f"{utf8(files.name)}: of DoRA the sum is compared; what its norms make of it depends on the base.")
    return Adapter(
        utf8(files.name), utf8(place), named if isinstance(named, str) else "", read_deltas(files), files, tuple(notices)
    )


def compare_adapters(first: Adapter, second: Adapter) -> AdapterPair:
    """Compare two adapters; neither base is needed."""
    return compare_deltas(first.deltas, second.deltas, whole=_equal_files(first.files, second.files))


def find_in_model(
    adapter: Adapter, model: Location | str, *, base: Location | str | None = None, search: Sequence[Path | str] = ()
) -> Containment:
    """Look for what an adapter adds in a whole model.

    Args:
        adapter: The adapter.
        model: The model that it may be merged into.
        base: What the model was before, if that is known: the answer is sharper by far.
        search: Folders in which a base may be looked for, where the model itself is an adapter on one.

    Raises:
        NotFoundError: The model or its base is not there.
        InputError: It is malformed.
    """
    whole = open_model(model, search=search).view().weights
    before = None if base is None else open_model(base, search=search).view().weights
    return measure(adapter.deltas, whole, before)


def find_bases(
    adapter: Adapter, registry: Path | str | None = None, *, key: Key = PUBLIC, progress: Progress | None = None
) -> list[Candidate]:
    """Hold an adapter against every model of a registry; those that fit come first, then by how well their layers answer.

    Dimensions are compared first, which reads no fingerprint (but of entries that earlier versions added, once).

    Raises:
        NotFoundError: There is no registry.
        InputError: It, or a fingerprint in it, is damaged.
    """
    with open_registry(registry_folder(registry)) as known:
        rows = known.layouts(key.identity())
        shapes = {layout: layouts.places(layout) for layout in {layout for *_, layout in rows}}
        fits = {
            layout: shapes_fit(adapter.deltas, held) for layout, held in shapes.items() if held
        }  # else not known, or damaged
        found = [
            Candidate(name, fits[layout], None, 0.0) for _, name, layout in rows if layout in fits and not fits[layout].fits
        ]
        read = {number: layout in fits for number, _, layout in rows if layout not in fits or fits[layout].fits}
        found += _read(known, adapter.deltas, read, adapter_features(adapter.deltas, key), progress or Silent())
    tests = sum(each.fit.fits for each in found)
    corrected = [replace(each, log10_p=bonferroni(each.log10_p, tests)) if each.fit.fits else each for each in found]
    return sorted(corrected, key=lambda each: (not each.fit.fits, -_strength(each), each.name))


def _read(
    known: Registry, deltas: Sequence[Delta], numbers: Mapping[int, bool], features: Features, progress: Progress
) -> Iterator[Candidate]:
    """Hold the fingerprints of entries against an adapter, and note the layout of those of which none was known.

    Args:
        known: The registry.
        deltas: What the adapter adds.
        numbers: The entries' ids, and whether their layouts are known.
        features: The adapter's.
        progress: Hears how far it is.
    """
    unknown: dict[int, str] = {}
    progress.start("compare", len(numbers), "models")
    try:
        for number in numbers:
            for entry in known.by_id([number]).values():
                sketches = known.fingerprint(entry).sketches
                if sketches is not None:
                    unknown |= {} if numbers[number] else {number: layouts.layout(sketches.places)}
                    fit = shapes_fit(deltas, sketches.places)
                    layers = sketches_answer(features, base_features(sketches, features.keys())) if fit.fits else None
                    yield Candidate(entry.name, fit, layers, layers.log10_p if layers else 0.0)
            progress.advance("compare", 1)
    finally:
        progress.finish("compare")
    known.note_layouts(unknown)


def _strength(candidate: Candidate) -> float:
    return candidate.layers.test.z if candidate.layers and candidate.layers.test else 0.0


def _equal_files(first: AdapterFiles, second: AdapterFiles) -> bool:
    """Say whether all tensors are equal, by name, shape and value."""
    ours, theirs = ({stored.name: stored for stored in stored_tensors(each.tensors)} for each in (first, second))
    return ours.keys() == theirs.keys() and all(
        stored.shape == theirs[name].shape and np.array_equal(matrix(stored), matrix(theirs[name]))
        for name, stored in ours.items()
    )
