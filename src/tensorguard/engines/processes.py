"""A pool of processes, for work that keeps the interpreter busy: many models at a time, or slow decoders."""

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any

from tensorguard.engines import workers
from tensorguard.engines.ahead import map_ahead
from tensorguard.engines.base import Item, Result
from tensorguard.errors import ResourceError


class Processes:
    """Fresh worker processes (`spawn`: no inherited locks or descriptors), BLAS pinned to one thread in each.

    The function and the items have to be picklable.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield results in order; see `Engine.map`.

        Raises:
            ResourceError: A worker was killed, most likely for its memory.
        """
        context = multiprocessing.get_context("spawn")
        with _Pool(self.workers, mp_context=context, initializer=workers.prepare) as pool:
            try:
                yield from map_ahead(pool, self.workers, partial(workers.run, function), items)
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
