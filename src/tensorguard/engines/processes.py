"""A pool of processes, for work that keeps the interpreter busy: many models at a time, or slow decoders."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any

from threadpoolctl import threadpool_limits

from tensorguard.engines.ahead import map_ahead
from tensorguard.engines.base import Item, Result
from tensorguard.errors import ResourceError


class Processes:
    """Fresh worker processes (`spawn`: no inherited locks or descriptors), BLAS pinned to one thread in each.

    The function and the items have to be picklable.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Yield results in order; see `Engine.map`.

        Raises:
            ResourceError: A worker was killed, most likely for its memory.
        """
        context = multiprocessing.get_context("spawn")
        with _Pool(self.workers, mp_context=context, initializer=_prepare_worker) as pool:
            try:
                yield from map_ahead(pool, self.workers, partial(_pinned, function), items)
            except BrokenProcessPool as error:
                raise ResourceError(
                    "a worker process was killed", hint="use fewer --workers; it may have run out of memory"
                ) from error


class _Pool(ProcessPoolExecutor):
    """A pool whose workers start with interrupts held back, so that Ctrl-C while they import things shows no tracebacks."""

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # a worker started in here inherits it
        try:
            return super().submit(*args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare_worker() -> None:
    """Make this worker end when it is interrupted, and when its parent is no more."""
    _accept_interrupts()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the parent's end, whatever its cause: a pool's worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _accept_interrupts() -> None:
    """Let an interrupt end this worker in the ordinary way, half-written files removed, but quietly."""
    if signal.SIGINT in signal.sigpending():
        os._exit(130)
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _pinned(function: Callable[[Item], Result], item: Item) -> Result:
    """Run one task with BLAS on one thread; here and not at the worker's start, because only what is loaded can be pinned."""
    with threadpool_limits(1, user_api="blas"):
        return function(item)
