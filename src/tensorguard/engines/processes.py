"""A pool of processes, for work that keeps the interpreter busy: many models at a time, or slow decoders."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from threadpoolctl import threadpool_limits

from tensorguard.engines.base import Item, Result
from tensorguard.errors import ResourceError

_AHEAD = 2
_blas: threadpool_limits | None = None


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
        waiting: list[Future[Result]] = []
        with ProcessPoolExecutor(self.workers, mp_context=context, initializer=_pin_blas) as pool:
            try:
                for item in items:
                    waiting.append(pool.submit(function, item))
                    if len(waiting) > _AHEAD * self.workers:
                        yield waiting.pop(0).result()
                while waiting:
                    yield waiting.pop(0).result()
            except BrokenProcessPool as error:
                raise ResourceError(
                    "a worker process was killed", hint="use fewer --workers; it may have run out of memory"
                ) from error
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


def _pin_blas() -> None:
    """Keep BLAS on one thread for the life of the worker."""
    global _blas
    _blas = threadpool_limits(1, user_api="blas")
