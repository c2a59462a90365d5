"""A registry under load: searches timed against the right answers, and fingerprints added while other processes search."""

import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event as Stop
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.registry_models import UNKNOWN, Array, as_query
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.registry.entry import Facts
from tensorguard.registry.registry import Registry

TOP = 10
_CLOSE = 1e-6
"""Similarities that differ by less are equally good: what float32 sums differ by."""
NEW = "new-"
"""How the names of what is added begin."""


@dataclass(frozen=True)
class Searched:
    """Searches of one process: seconds of each after the first, of the first, of the processor each, shares of the best that were found,
    whether the parent was among them, and MB of its own that the process gained."""

    seconds: NDArray[np.float64]
    first: float
    processor: float
    recalls: NDArray[np.float64]
    parents: NDArray[np.bool_]
    gained: float


def search(folder: Path, queries: Array, truth: Array, parents: Sequence[str]) -> Searched:
    """Search by each query in turn."""
    before = private()
    with Registry(folder) as registry:
        seconds, recalls, own, processor = [], [], [], time.process_time()
        for query, best, parent in zip(queries, truth, parents, strict=True):
            started = time.perf_counter()
            hits = registry.search_by("public", as_query(query), UNKNOWN, TOP)
            seconds.append(time.perf_counter() - started)
            recalls.append(sum(hit.similarity >= best.min() - _CLOSE for hit in hits) / TOP)
            own.append(any(hit.entry.name == parent for hit in hits))
        processor = (time.process_time() - processor) / len(queries)
        return Searched(np.array(seconds[1:]), seconds[0], processor, np.array(recalls), np.array(own), private() - before)


def add(folder: Path, prints: Sequence[Fingerprint], seconds: float, first: int) -> list[float]:
    """Add fingerprints under new names for some seconds; returns how long each took."""
    took: list[float] = []
    started = time.perf_counter()
    with Registry(folder) as registry:
        while time.perf_counter() - started < seconds:
            number = first + len(took)
            before = time.perf_counter()
            registry.add(prints[number % len(prints)], Facts(repository=f"org/{NEW}{number}"), name=f"{NEW}{number}")
            took.append(time.perf_counter() - before)
    return took


@contextmanager
def searchers(folder: Path, queries: Array, count: int) -> Iterator["Queue[list[float]]"]:
    """Processes that search for as long as the block runs; the queue has the seconds of each one's searches afterwards."""
    context = multiprocessing.get_context("fork")
    stop, told = context.Event(), context.Queue()
    running = [context.Process(target=_search_on, args=(folder, queries[at::count], stop, told)) for at in range(count)]
    for each in running:
        each.start()
    time.sleep(2)
    yield told
    stop.set()
    for each in running:
        each.join(60)


def _search_on(folder: Path, queries: Array, stop: Stop, told: "Queue[list[float]]") -> None:
    seconds: list[float] = []
    with Registry(folder) as registry:
        while not stop.is_set():
            query = queries[len(seconds) % len(queries)]
            started = time.perf_counter()
            registry.search_by("public", as_query(query), UNKNOWN, TOP)
            seconds.append(time.perf_counter() - started)
    told.put(seconds)


def command(*arguments: object) -> tuple[float, float, str]:
    """Run `tensorguard registry ...`; returns its seconds, the MB of its largest memory, and what it printed."""
    call = [sys.executable, "-m", "tensorguard", "registry", *map(str, arguments)]
    started = time.perf_counter()
    process = subprocess.Popen(call, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(call)} ended with {process.returncode}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024, printed


def private() -> float:
    """Return the MB of this process that are nobody else's, the index files mapped into memory left out."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return float(line.split()[1]) / 1024


def largest() -> float:
    """Return the MB of this process's largest memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
