"""Several threads of this process: reading, decoding and matrix products all run outside the interpreter's lock."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from threadpoolctl import threadpool_limits

from tensorguard.engines.ahead import map_ahead
from tensorguard.engines.base import Item, Result
from tensorguard.engines.memory import keep_freed_memory


class Threads:
    """A pool of threads, BLAS pinned to one thread in each, so that sums are the same whatever their number.

    The pin holds for the whole process while results are taken. The bits are only promised to a process that has one such
    iteration under way at a time: the first to end would unpin the other.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield results in order; see `Engine.map`."""
        keep_freed_memory()
        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(self.workers) as pool:
            yield from map_ahead(pool, self.workers, function, items)
