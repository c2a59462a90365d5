"""Run tasks on a pool a little ahead of whoever takes their results."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future

from tensorguard.engines.base import Item, Result

_AHEAD = 2
"""Tasks in flight per worker: enough to keep it busy, few enough that results cannot pile up."""


def map_ahead(pool: Executor, workers: int, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield function(item) for every item, in order; whatever ends the iteration, what has not begun is cancelled."""
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
