"""A registry of a catalogue: what is on this machine first, then what is on the hub; what was done once is not done again."""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from tensorguard.api.at_hand import find_model, repository_of
from tensorguard.api.filling import Job, fill
from tensorguard.api.listing import Listed
from tensorguard.api.many import fleet_of
from tensorguard.api.registry import Adding, add_model, entry_of, merged, noted
from tensorguard.api.side_by_side import side_by_side
from tensorguard.api.weighing import weigh
from tensorguard.engines.base import Fleet
from tensorguard.engines.sizing import processors
from tensorguard.errors import NotFoundError, TensorGuardError
from tensorguard.probes.rademacher import PUBLIC
from tensorguard.progress import Progress, Silent, tell_over
from tensorguard.registry.catalogue import Known
from tensorguard.registry.outcome import Added, Addition
from tensorguard.registry.registry import Registry
from tensorguard.sources.names import SCHEME
from tensorguard.sources.pacing import PACE
from tensorguard.sources.places import locate

PATIENCE = 900.0
"""Seconds that a busy hub may ask to wait: its limits are counted over five minutes."""

_WORTH = 500_000_000
"""Bytes of weights from which processes are worth their start."""

_COMMIT = re.compile("[0-9a-f]{7,64}")


def build(
    registry: Registry,
    rows: Sequence[Known],
    search: Sequence[Path],
    how: Adding | None = None,
    progress: Progress | None = None,
    *,
    memory: int | None = None,
    engine: Fleet | None = None,
) -> Iterator[Added]:
    """Add a catalogue's models.

    Those on this machine are shared among processes, if there is enough to read. Of those that are nowhere on it (see `find_model`), and
    only if `how.remote`, the hub is asked: `how.jobs` models at a time, `how.rate` requests a second, with patience when it is busy. One
    whose weights the registry has is not asked for again unless `how.update`, so that a call after an interruption goes on where the last
    one ended.

    Args:
        registry: Where to.
        rows: The catalogue.
        search: Folders in which models may lie.
        how: How to add.
        progress: Hears how far it is.
        memory: Bytes that processes may take together; by default half of what is free.
        engine: Computes the fingerprints of models on this machine (or storage that other machines share); by default processes.

    Yields:
        What became of each as it is done, `given` by its repository: first of what needs no hub.
    """
    how, progress = how or Adding(), progress or Silent()
    distant: list[Known] = []
    near: list[Job] = []
    progress.start("models", len(rows), "models")
    try:
        for row in rows:
            place = find_model(row.repository, search)
            if place is not None:
                near.append(Job(row.repository, place, _of(row, how)))
            elif (found := _not_here(registry, row, how)) is None:
                distant.append(row)
            else:
                yield _over(progress, found, time.monotonic())
        sizes = weigh([Listed(job.place) for job in near])
        progress.event("models", total=len(rows), bytes=sum(sizes))
        fleet = engine or (fleet_of(how.workers or processors(), memory) if len(near) > 1 and sum(sizes) >= _WORTH else None)
        for found in fill(registry, near, sizes, fleet, progress):
            yield found
            progress.advance("models", 1)
        with PACE.of(how.rate, PATIENCE):
            for found, began in _from_the_hub(registry, distant, how, progress):
                yield _over(progress, found, began)
    finally:
        progress.finish("models")


def _over(progress: Progress, found: Added, began: float) -> Added:
    tell_over(progress, found.given, found.status, began, found.error)
    progress.advance("models", 1)
    return found


def _from_the_hub(registry: Registry, rows: Sequence[Known], how: Adding, progress: Progress) -> Iterator[tuple[Added, float]]:
    if how.jobs > 1 and len(rows) > 1:
        return side_by_side(partial(_timed, registry, how), rows, how.jobs)
    return (_timed(registry, how, row, progress) for row in rows)


def _timed(registry: Registry, how: Adding, row: Known, progress: Progress) -> tuple[Added, float]:
    began = time.monotonic()
    return _remote(registry, how, row, progress), began


def _not_here(registry: Registry, row: Known, how: Adding) -> Added | None:
    """Return what became of a model that is not on this machine if the hub need not be asked for it."""
    if how.remote:
        return None if how.force or how.update else _there(registry, row, row.revision, how)
    hint = f"download it: hf download {row.repository}"
    return Added(row.repository, "not at hand", error=NotFoundError("in none of the folders searched", hint=hint))


def _remote(registry: Registry, how: Adding, row: Known, progress: Progress) -> Added:
    """Add a model from the hub; one that is gated, gone or out of reach is not at hand, for the reason that the hub gives."""
    name = f"{SCHEME}{row.repository}" + (f"@{row.revision}" if row.revision else "")
    try:
        _, commit = repository_of(locate(name))
    except TensorGuardError as error:
        return Added(row.repository, "not at hand" if isinstance(error, NotFoundError) else "failed", error=error)
    found = None if how.force else _there(registry, row, commit, how)
    if found is None:
        # Another commit may hold other weights under the same name; whoever asks for updates wants these.
        how = replace(how, force=how.force or how.update)
        found = replace(add_model(registry, name, _of(row, how), progress), given=row.repository)
    return replace(found, status="not at hand") if isinstance(found.error, NotFoundError) else found


def _there(registry: Registry, row: Known, revision: str, how: Adding) -> Added | None:
    """Return the entries of a model if weights of this revision (of any, if it is empty) were fingerprinted here under every key wanted."""
    keys = dict.fromkeys((PUBLIC.identity(), how.settings.key.identity()))
    entries = [entry for key in keys if (entry := entry_of(registry, row.repository, key)) is not None]
    if len(entries) < len(keys) or not all(entry.verified and entry.facts.revision.startswith(revision) for entry in entries):
        return None
    if revision and not _COMMIT.fullmatch(revision):
        return None  # a branch moves on, and so may a tag
    try:
        done = [noted(registry, entry, merged(entry.facts, _of(row, how).facts)) for entry in entries]
    except TensorGuardError as error:
        return Added(row.repository, "failed", error=error)
    status: Addition = "facts changed" if any(status == "facts changed" for status, _ in done) else "there already"
    return Added(row.repository, status, tuple(entry for _, entry in done))


def _of(row: Known, how: Adding) -> Adding:
    """Return how to add a row: with its facts, but for the revision, of which the commit is kept that was read."""
    facts = replace(row.facts, revision=row.revision if len(row.revision) == 40 and _COMMIT.fullmatch(row.revision) else "")
    return replace(how, facts=merged(facts, how.facts))
