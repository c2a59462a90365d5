"""Progress of a job, and the way to stop one: who reports progress after it was cancelled is interrupted."""

import threading

from tensorguard.progress import Fact
from tensorguard.serve.answers import Task


class Cancelled(Exception):  # noqa: N818 - not an error
    """The job was cancelled."""


class Listener:
    """Hears how far a job is. Safe from several threads."""

    def __init__(self) -> None:
        self._tasks: dict[str, list[int | str]] = {}
        self._lock = threading.Lock()
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Interrupt the job when it reports next."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise Cancelled if it was."""
        if self.cancelled:
            raise Cancelled

    def start(self, task: str, total: int, unit: str) -> None:
        """A task begins."""
        self.check()
        with self._lock:
            self._tasks[task] = [0, total, unit]

    def advance(self, task: str, amount: int) -> None:
        """More of it is done."""
        self.check()
        with self._lock:
            if task in self._tasks:
                done, total, unit = self._tasks[task]
                self._tasks[task] = [int(done) + amount, total, unit]

    def finish(self, task: str) -> None:
        """The task is over."""
        with self._lock:
            self._tasks.pop(task, None)

    def event(self, name: str, **facts: Fact) -> None:
        """Something happened; the page shows tasks alone."""

    def tasks(self) -> list[Task]:
        """Return what is under way."""
        with self._lock:
            return [Task(name, int(done), int(total), str(unit)) for name, (done, total, unit) in self._tasks.items()]
