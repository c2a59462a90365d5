"""How long work takes, and which share of the processors' time it got: others may be using them, too."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tensorguard.engines.base import Item
from tensorguard.engines.threads import Threads


@dataclass(frozen=True, slots=True)
class Run:
    """What was done.

    Attributes:
        units: How much.
        seconds: In how long.
        processing: Seconds of processor time that all threads took together.
        workers: How many of them worked at a time.
    """

    units: int
    seconds: float
    processing: float
    workers: int

    @property
    def rate(self) -> float:
        """Units per second."""
        return self.units / self.seconds

    @property
    def given(self) -> float:
        """Share of the time for which the threads were on a processor."""
        return min(1.0, max(self.processing, 1e-6) / (self.seconds * self.workers))

    @property
    def alone(self) -> float:
        """Units per second if the threads had always been on a processor: for work that waits for nothing else."""
        return self.rate / self.given


def timed(function: Callable[[Item], int], items: Iterable[Item], workers: int, seconds: float) -> Run:
    """Let the engine of a fingerprint do items until they or the time are used up; the function returns units."""
    started, before = time.perf_counter(), time.process_time()

    def until() -> Iterator[Item]:
        for item in items:
            yield item
            if time.perf_counter() - started >= seconds:
                break

    units = sum(Threads(workers).map(function, until()))
    return Run(units, time.perf_counter() - started, time.process_time() - before, workers)
