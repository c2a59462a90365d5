"""Many models into a registry: workers compute fingerprints, and this process alone writes."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from tensorguard.api.elsewhere import from_anywhere
from tensorguard.api.faults import Alike, as_error
from tensorguard.api.fingerprints import Settings, fingerprint_opened
from tensorguard.api.registry import Adding, Wanted, add_model, look_up, put
from tensorguard.api.weighing import longest_first
from tensorguard.engines.base import Finished, Fleet, Task
from tensorguard.errors import utf8
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.progress import Progress, Silent, tell_over
from tensorguard.registry.outcome import Added
from tensorguard.registry.registry import Registry

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Job:
    """A model to be added.

    Attributes:
        given: What it is called in what is told.
        place: Where it is on this machine.
        how: How it is added.
    """

    given: str
    place: Path
    how: Adding


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a worker is given: a model's number and place, and how to compute each fingerprint."""

    number: int
    place: Path
    settings: tuple[Settings, ...]


def fill(
    registry: Registry, jobs: Sequence[Job], sizes: Sequence[int], fleet: Fleet | None, progress: Progress
) -> Iterator[Added]:
    """Add models, the largest first; those that are there already are not read again, and a bad one does not stop the rest.

    Args:
        registry: Where to.
        jobs: Which models.
        sizes: The bytes of each, see `weigh`.
        fleet: Computes fingerprints, each whole before it is added; None: this process, one after the other with threads.
        progress: Hears of them.

    Yields:
        What became of each as it is known, `given` as the job says.

    Raises:
        ResourceError: Many in a row failed for the same lack of resources, or no worker can be started.
    """
    alike = Alike()
    for added in _filled(registry, jobs, sizes, fleet, progress):
        yield added
        alike.note(added.error)


def _filled(
    registry: Registry, jobs: Sequence[Job], sizes: Sequence[int], fleet: Fleet | None, progress: Progress
) -> Iterator[Added]:
    if fleet is None:
        yield from (_alone(registry, job, size, progress) for job, size in zip(jobs, sizes, strict=True))
        return
    filling = _Filling(registry, jobs, sizes, progress)
    for finished in fleet.each(_compute, filling.tasks(), filling.begin):
        yield from filling.found()
        yield filling.put(finished)
    yield from filling.found()


class _Filling:
    """What is under way between the registry and the workers."""

    def __init__(self, registry: Registry, jobs: Sequence[Job], sizes: Sequence[int], progress: Progress) -> None:
        self._registry, self._jobs, self._sizes, self._progress = registry, jobs, sizes, progress
        self._wanted: dict[int, tuple[Wanted, float]] = {}
        self._found = deque[Added]()

    def tasks(self) -> Iterator[Task[_Asked]]:
        """Yield what has to be computed; the registry is asked about each model when a worker is free for it."""
        for task in longest_first(range(len(self._jobs)), self._sizes):
            job, began = self._jobs[task.item], time.monotonic()
            found = _quietly(job, look_up, self._registry, job.place, job.how)
            if isinstance(found, Added):
                self._found.append(self._over(task.item, found, began))
                continue
            self._wanted[task.item] = found, began
            yield Task(_Asked(task.item, job.place.absolute(), tuple(map(from_anywhere, found.missing))), task.share)

    def begin(self, asked: _Asked) -> None:
        """Tell of a model that is begun."""
        self._progress.event("begun", model=self._jobs[asked.number].given, size=self._sizes[asked.number])

    def found(self) -> Iterator[Added]:
        """Yield what needed no worker since the last call."""
        while self._found:
            yield self._found.popleft()

    def put(self, finished: Finished[_Asked, tuple[Fingerprint, ...]]) -> Added:
        """Add what a worker has computed."""
        number = finished.item.number
        wanted, began = self._wanted.pop(number)
        if finished.result is not None:
            added = _quietly(self._jobs[number], put, self._registry, wanted, finished.result)
        else:
            error = as_error(finished.error or RuntimeError("no result"), wanted.model)
            added = Added(utf8(wanted.model), "failed", error=error)
        return self._over(number, added, began)

    def _over(self, number: int, added: Added, began: float) -> Added:
        tell_over(self._progress, self._jobs[number].given, added.status, began, added.error, self._sizes[number])
        return replace(added, given=self._jobs[number].given)


def _alone(registry: Registry, job: Job, size: int, progress: Progress) -> Added:
    began = time.monotonic()
    progress.event("begun", model=job.given, size=size)
    added = replace(_quietly(job, add_model, registry, job.place, job.how, progress), given=job.given)
    tell_over(progress, added.given, added.status, began, added.error, size)
    return added


def _quietly(job: Job, work: Callable[..., _Found], *arguments: object) -> _Found | Added:
    """Do something for one model; whatever is wrong, the others go on."""
    try:
        return work(*arguments)
    except Exception as error:  # a fault of ours included; see `as_error` for what is told of it
        return Added(job.given, "failed", error=as_error(error, job.place))


def _compute(asked: _Asked, threads: int) -> tuple[Fingerprint, ...]:
    return tuple(_one(asked.place, each, threads) for each in asked.settings)


def _one(place: Path, settings: Settings, threads: int) -> Fingerprint:
    return fingerprint_opened(settings.open(place), settings, threads, Silent())
