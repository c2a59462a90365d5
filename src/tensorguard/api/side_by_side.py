"""Several tasks at a time, results as they come; whoever stops taking results stops the tasks."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from tensorguard.engines.pinning import pinned
from tensorguard.progress import Progress, Silent

Item = TypeVar("Item")
Result = TypeVar("Result")

_PARTING = 5.0
"""Seconds that tasks which were stopped are waited for."""


class Stopped(Exception):  # noqa: N818 - no fault of anybody's
    """The task is not wanted any more."""


class _Listener(Silent):
    """Ends a task, at its next step, that is not wanted any more."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def advance(self, task: str, amount: int) -> None:  # noqa: ARG002
        """See `Progress`.

        Raises:
            Stopped: Nobody wants the result.
        """
        if self.over.is_set():
            raise Stopped


def side_by_side(work: Callable[[Item, Progress], Result], items: Sequence[Item], count: int) -> Iterator[Result]:
    """Do the same with every item, `count` at a time.

    Args:
        work: Takes an item and whom to tell of each step; must be safe to call from several threads.
        items: What is to be done.
        count: How many at a time.

    Yields:
        Results in the order in which they are ready.

    Raises:
        Whatever `work` raises; what else is under way is stopped then.
    """
    listener, done = _Listener(), queue.SimpleQueue[tuple[Result, None] | tuple[None, BaseException]]()
    todo, lock = iter(items), threading.Lock()

    def run() -> None:
        while not listener.over.is_set():
            with lock:
                item = next(todo, None)
            if item is None:
                return
            try:
                done.put((work(item, listener), None))
            except BaseException as error:  # raised where results are taken
                done.put((None, error))

    threads = [threading.Thread(target=run, daemon=True) for _ in range(min(count, len(items)))]
    with pinned():
        for thread in threads:
            thread.start()
        try:
            for _ in items:
                answer = done.get()
                if answer[1] is not None:
                    raise answer[1]
                yield answer[0]
        finally:
            listener.over.set()
            for thread in threads:
                thread.join(_PARTING)
