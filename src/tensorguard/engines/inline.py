"""One task after the other, in this thread."""

from collections.abc import Callable, Iterable, Iterator

from threadpoolctl import threadpool_limits

from tensorguard.engines.base import Item, Result
from tensorguard.engines.memory import keep_freed_memory


class Inline:
    """The simplest engine, and the reference for the others."""

    workers = 1

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield results in order; see `Engine.map`."""
        keep_freed_memory()
        with threadpool_limits(1, user_api="blas"):
            for item in items:
                yield function(item)
