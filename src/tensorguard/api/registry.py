"""Put models, fingerprints and archives into a registry, one after the other; a bad one does not stop the rest."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path

from tensorguard.api.at_hand import repository_of
from tensorguard.api.claiming import Claims, refuse
from tensorguard.api.claiming import entry_of as entry_of
from tensorguard.api.fingerprints import Settings, fingerprint_model
from tensorguard.api.models import Model
from tensorguard.api.same_weights import has_same_weights
from tensorguard.errors import InputError, TensorGuardError, UsageError, utf8
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.fetched import read_fingerprint_at
from tensorguard.fingerprint.file import SUFFIX
from tensorguard.probes.rademacher import PUBLIC
from tensorguard.progress import Progress, Silent, tell_over
from tensorguard.registry.archive import read_archive
from tensorguard.registry.catalogue import known
from tensorguard.registry.entry import Entry, Facts
from tensorguard.registry.opening import open_registry
from tensorguard.registry.outcome import Added, Addition
from tensorguard.registry.registry import Registry
from tensorguard.registry.vectors import source_digest
from tensorguard.sources.places import locate

_ORDER: tuple[Addition, ...] = ("replaced", "added", "facts changed", "there already")
"""What is said of a model of which several fingerprints were added: the first of these that is true of one of them."""


@dataclass(frozen=True, slots=True)
class Adding:
    """How to add.

    Attributes:
        facts: What is known of the models; goes before what the registry says, and that before the catalogue.
        name: What to call the one model that is given; by default its repository, or its own name.
        settings: How to open and fingerprint models. Under a secret key, its fingerprints are kept beside the public ones.
        force: Compute also what is there, and replace other weights of the same name.
        workers: How many threads; all processors by default.
        remote: Read a catalogue's models that are not at hand from the hub, by ranges.
        update: Ask the hub also for models that are there, and replace those that it has newer weights of.
        jobs: How many models of the hub at a time.
        rate: Requests a second to the hub itself, at most.
    """

    facts: Facts = field(default_factory=Facts)
    name: str | None = None
    settings: Settings = field(default_factory=Settings)
    force: bool = False
    workers: int | None = None
    remote: bool = False
    update: bool = False
    jobs: int = 4
    rate: float = 5.0


def add_models(
    registry: Registry, models: Sequence[Path | str], how: Adding | None = None, progress: Progress | None = None
) -> Iterator[Added]:
    """Fingerprint models and add them; those that are there already are skipped, so it can be called again after an interruption.

    Args:
        registry: Where to.
        models: Models, adapters, or fingerprints (`.tgfp`), which are somebody's claims: imported and unverified.
        how: How to.
        progress: Hears how far it is.

    Yields:
        What became of each, in the order given.

    Raises:
        UsageError: A name, a repository or a revision was given for several models.
    """
    how, progress = how or Adding(), progress or Silent()
    if len(models) > 1 and (how.name or how.facts.repository or how.facts.revision):
        raise UsageError("one name, repository or revision, and several models", hint="add them one by one")
    progress.start("models", len(models), "models")
    try:
        for model in models:
            began = time.monotonic()
            progress.event("begun", model=utf8(model))
            found = add_model(registry, model, how, progress)
            tell_over(progress, found.given, found.status, began, found.error)
            yield found
            progress.advance("models", 1)
    finally:
        progress.finish("models")


def import_archive(folder: Path | str, path: Path, *, force: bool = False) -> Iterator[Added]:
    """Add an archive's fingerprints to a registry as claims; nothing is written before all of the archive was found sound.

    An entry that was verified here is kept as it is, unless `force`.

    Raises:
        NotFoundError: There is no such file.
        InputError: It is not a sound archive; see `read_archive`.
    """
    for _ in read_archive(path):
        pass
    with open_registry(folder, create=True) as registry:
        claims = Claims(registry, force=force)
        for entry, fingerprint in read_archive(path):
            yield from claims.add(fingerprint, entry.facts, entry.name)
        yield from claims.finish()


def merged(*facts: Facts) -> Facts:
    """Return facts put together: of each, what the last one that knows it says."""
    said = [{each.name: value for each in fields(Facts) if (value := getattr(one, each.name))} for one in facts]
    return Facts(**{name: value for one in said for name, value in one.items()})


def add_model(registry: Registry, model: Path | str, how: Adding, progress: Progress) -> Added:
    """Add one model; see `add_models`. What is wrong with it is told, not raised."""
    found = look_up(registry, model, how)
    if isinstance(found, Added):
        return found
    try:
        opened = found.how.settings.open(model)
        prints = [fingerprint_model(opened, settings=each, workers=how.workers, progress=progress) for each in found.missing]
    except TensorGuardError as error:
        return Added(utf8(model), "failed", error=error)
    return put(registry, found, prints)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model of which fingerprints are to be computed.

    Attributes:
        model: Where it is, as given.
        name: What its entries are called.
        background: What is known of it without what the caller said or the registry says.
        how: How it is added, with the facts that the caller and its place say.
        missing: How to compute each fingerprint that the registry lacks.
        done: What became of its entries that need none.
    """

    model: Path | str
    name: str
    background: Facts
    how: Adding
    missing: tuple[Settings, ...]
    done: tuple[tuple[Addition, Entry], ...] = ()


def look_up(registry: Registry, model: Path | str, how: Adding) -> Added | Wanted:
    """Return what became of a model if nothing has to be computed for it (what is wrong with it is told, not raised), or what has to."""
    try:
        path = locate(model)
        if path.suffix == SUFFIX:
            found = read_fingerprint_at(path)
            name = how.name or how.facts.repository or found.name
            facts = merged(_catalogued(how.facts.repository or name), how.facts)
            return replace(_claim(registry, found, facts, name, force=how.force), given=utf8(model))
        opened = how.settings.open(model)
        repository, revision = repository_of(path)
        name = how.name or how.facts.repository or (repository if path.is_dir() else "") or opened.name
        background = _catalogued(how.facts.repository or repository)
        how = replace(how, facts=merged(Facts(repository=repository, revision=revision), how.facts))
        quick = _is_quick(opened, how)
        done, missing = [], []
        for key in dict.fromkeys((PUBLIC, how.settings.key)):
            existing = entry_of(registry, name, key.identity())
            if existing is not None and not how.force and _is_current(registry, existing, opened, quick=quick):
                done.append(noted(registry, existing, merged(background, existing.facts, how.facts)))
            else:
                missing.append(replace(how.settings, key=key, quick=quick))
    except TensorGuardError as error:
        return Added(utf8(model), "failed", error=error)
    if missing:
        return Wanted(model, name, background, how, tuple(missing), tuple(done))
    return _told(model, done)


def put(registry: Registry, wanted: Wanted, prints: Sequence[Fingerprint]) -> Added:
    """Add the fingerprints that were missing. What is wrong with one is told, not raised."""
    done = list(wanted.done)
    try:
        for found in prints:
            key = found.sketches.key if found.sketches else ""
            existing = entry_of(registry, wanted.name, key)
            facts = merged(wanted.background, existing.facts if existing else Facts(), wanted.how.facts)
            if existing is not None and _is_other(registry, existing, found):
                if existing.verified and not wanted.how.force:
                    refuse(existing)
                facts = merged(wanted.background, wanted.how.facts)  # what was said of other weights is not true of these
            done.append(("replaced" if existing else "added", registry.add(found, facts, name=wanted.name)))
    except TensorGuardError as error:
        return Added(utf8(wanted.model), "failed", error=error)
    return _told(wanted.model, done)


def _told(model: Path | str, done: Sequence[tuple[Addition, Entry]]) -> Added:
    statuses = {status for status, _ in done}
    entries = sorted((entry for _, entry in done), key=lambda entry: entry.key != PUBLIC.identity())
    return Added(utf8(model), next(each for each in _ORDER if each in statuses), tuple(entries))


def noted(registry: Registry, existing: Entry, facts: Facts) -> tuple[Addition, Entry]:
    """Say other things of an entry whose weights are the same, unless it says them already."""
    if facts == existing.facts:
        return "there already", existing
    return "facts changed", registry.add(registry.fingerprint(existing), facts, name=existing.name, origin=existing.origin)


def _claim(registry: Registry, found: Fingerprint, facts: Facts, name: str, *, force: bool) -> Added:
    """Add somebody's fingerprint, unverified; what was verified here goes before it."""
    claims = Claims(registry, force=force)
    (outcome,) = (*claims.add(found, facts, name), *claims.finish())
    if outcome.error is not None:
        raise outcome.error
    return outcome


def _is_quick(model: Model, how: Adding) -> bool:
    return model.distant if how.settings.quick is None else how.settings.quick


def _is_current(registry: Registry, entry: Entry, model: Model, *, quick: bool) -> bool:
    """Say whether an entry was made here of this very model, whole or of a sample if that will do, and its files have not changed since."""
    try:
        stored = registry.path(entry).stat().st_mtime_ns
        found = registry.fingerprint(entry)
        same = found.header_digest == model.header_digest and (quick or found.coverage is None)
    except (TensorGuardError, OSError):
        return False
    added = int(datetime.fromisoformat(entry.added).timestamp() * 1e9)
    return entry.verified and same and model.modified < max(stored, added) and has_same_weights(found, model)


def _is_other(registry: Registry, existing: Entry, found: Fingerprint) -> bool:
    """Say whether an entry is of other weights; of a sample and a whole fingerprint, the tensors' names and shapes have to do."""
    if existing.source_digest == source_digest(found):
        return False
    try:
        earlier = registry.fingerprint(existing)
    except InputError:
        return True
    return earlier.coverage == found.coverage or earlier.header_digest != found.header_digest


def _catalogued(repository: str) -> Facts:
    row = known(repository)
    return row.facts if row else Facts()
