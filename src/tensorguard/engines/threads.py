"""Several threads of this process: reading, decoding and matrix products all run outside the interpreter's lock."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from threadpoolctl import threadpool_limits

from tensorguard.engines.base import Item, Result
from tensorguard.engines.memory import keep_freed_memory

_AHEAD = 2
"""Tasks in flight per worker: enough to keep it busy, few enough that results cannot pile up."""


class Threads:
    """A pool of threads, BLAS pinned to one thread in each, so that sums are the same whatever their number."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Yield results in order; see `Engine.map`."""
        keep_freed_memory()
        waiting: list[Future[Result]] = []
        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(self.workers) as pool:
            try:
                for item in items:
                    waiting.append(pool.submit(function, item))
                    if len(waiting) > _AHEAD * self.workers:
                        yield waiting.pop(0).result()
                while waiting:
                    yield waiting.pop(0).result()
            finally:
                for future in waiting:
                    future.cancel()
