"""A pool of processes, for work that keeps the interpreter busy: many models at a time, or slow decoders."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial

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
        with ProcessPoolExecutor(self.workers, mp_context=context) as pool:
            try:
                yield from map_ahead(pool, self.workers, partial(_pinned, function), items)
            except BrokenProcessPool as error:
                raise ResourceError(
                    "a worker process was killed", hint="use fewer --workers; it may have run out of memory"
                ) from error


def _pinned(function: Callable[[Item], Result], item: Item) -> Result:
    """Run one task with BLAS on one thread; here and not at the worker's start, because only what is loaded can be pinned."""
    with threadpool_limits(1, user_api="blas"):
        return function(item)
