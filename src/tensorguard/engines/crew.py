"""Worker processes with a pipe each, so that one that is killed takes nothing but its own task with it."""

import contextlib
import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable, Iterable
from multiprocessing import connection
from typing import Any

from tensorguard.engines import workers
from tensorguard.errors import ResourceError

_PARTING = 10.0
"""Seconds that a worker which was told to end may take."""

_STARTS = 3
"""Workers in a row that may die before they are ready; one may be killed by chance."""


class Lost(Exception):  # noqa: N818 - it is said as a ResourceError
    """The worker is no more."""


class Worker:
    """A fresh process (`spawn`: no inherited locks or descriptors) that answers one task at a time."""

    def __init__(self, packed: bytes) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=workers.serve, args=(theirs, packed), daemon=True)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # it inherits this, and unblocks it when it is ready
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()  # now the pipe ends when the process does
        self._ready = False

    def give(self, item: object, threads: int) -> None:
        """Hand a task over.

        Raises:
            Lost: The worker is no more.
        """
        try:
            self.pipe.send((item, threads))
        except OSError as error:
            raise Lost from error

    def take(self) -> workers.Answer | None:
        """Take what it says: the answer to its task, or None when it is only ready.

        Raises:
            Lost: The worker is no more.
        """
        try:
            if not self._ready:
                self._ready = self.pipe.recv() == workers.READY
                return None
            answer: workers.Answer = pickle.loads(self.pipe.recv_bytes())  # noqa: S301 - from our own worker
        except (EOFError, OSError) as error:
            raise Lost from error
        return answer

    @property
    def ready(self) -> bool:
        """Whether it ever was."""
        return self._ready

    def stop(self) -> None:
        """Tell it to end: at once if it is idle, else after it has undone what it was doing."""
        self.pipe.close()
        with contextlib.suppress(ProcessLookupError):
            if self._process.pid is not None:
                os.kill(self._process.pid, signal.SIGINT)

    def bury(self) -> None:
        """Wait for its end, and make it end if it does not."""
        self._process.join(_PARTING)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


class Crew:
    """Workers for one function; a lost one is replaced when there is work for it."""

    def __init__(self, function: Callable[[Any, int], Any]) -> None:
        self._packed = pickle.dumps(function)
        self._idle: list[Worker] = []
        self._busy: dict[Worker, int] = {}
        self._failed = 0

    def give(self, key: int, item: object, threads: int) -> None:
        """Let an idle or a new worker do a task, which has a number."""
        while True:
            worker = self._idle.pop() if self._idle else Worker(self._packed)
            try:
                worker.give(item, threads)
            except Lost:
                worker.bury()
                self._note_death(worker)
                continue
            self._busy[worker] = key
            return

    def answers(self) -> Iterable[tuple[int, workers.Answer | None]]:
        """Wait, and return the number and answer of each task that has ended; no answer for one whose worker was lost.

        Raises:
            ResourceError: Workers die before they do anything.
        """
        found: list[tuple[int, workers.Answer | None]] = []
        busy: dict[object, Worker] = {worker.pipe: worker for worker in self._busy}
        for pipe in connection.wait([worker.pipe for worker in self._busy]):
            worker = busy[pipe]
            try:
                answer = worker.take()
            except Lost:
                found.append((self._busy.pop(worker), None))
                worker.stop()
                worker.bury()
                self._note_death(worker)
                continue
            self._failed = 0
            if answer is not None:
                found.append((self._busy.pop(worker), answer))
                self._idle.append(worker)
        return found

    def dismiss(self) -> None:
        """End all workers, whatever they are doing."""
        everybody = [*self._idle, *self._busy]
        for worker in everybody:
            worker.stop()
        for worker in everybody:
            worker.bury()
        self._idle, self._busy = [], {}

    def _note_death(self, worker: Worker) -> None:
        self._failed = 0 if worker.ready else self._failed + 1
        if self._failed >= _STARTS:
            hint = "a script that starts workers has to guard what it does: if __name__ == '__main__'"
            raise ResourceError("worker processes die as soon as they are started", hint=hint)
