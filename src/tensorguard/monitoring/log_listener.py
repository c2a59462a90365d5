"""Progress events as lines of a log: models and tasks when they are over, and now and then how far a long task is."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tensorguard.monitoring.events import tell
from tensorguard.progress import Fact

HEARTBEAT = 30.0
"""Seconds between two lines that say how far a task is."""


TOLD = ("models", "begun", "model")
"""Events that have fields of their own; all others are notes."""


@dataclass(slots=True)
class _Task:
    unit: str
    total: int
    began: float
    told: float
    done: int = 0


class LogListener:
    """Logs what it hears."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._tasks: dict[str, _Task] = {}

    def start(self, task: str, total: int, unit: str) -> None:
        """Take note of when it began."""
        now = self._clock()
        with self._lock:
            self._tasks[task] = _Task(unit, total, now, now)

    def advance(self, task: str, amount: int) -> None:
        """Say how far it is, if nothing was said for a while."""
        now = self._clock()
        with self._lock:
            found = self._tasks.get(task)
            if found is None:
                return
            found.done += amount
            due = now - found.told >= HEARTBEAT
            if due:
                found.told = now
        if due:
            _tell("progress", task, found, now)

    def finish(self, task: str) -> None:
        """Say what was done, and how long it took."""
        with self._lock:
            found = self._tasks.pop(task, None)
        if found is not None:
            _tell("task", task, found, self._clock())

    def event(self, name: str, **facts: Fact) -> None:
        """Log it."""
        if name in TOLD:
            tell(name, bad=facts.get("status") == "failed", **facts)
        else:
            tell("note", name=name, facts=facts)


def _tell(event: str, task: str, found: _Task, now: float) -> None:
    tell(event, task=task, unit=found.unit, done=found.done, total=found.total or None, seconds=now - found.began)
