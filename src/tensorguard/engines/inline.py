"""One task after the other, in this thread."""

from collections.abc import Callable, Iterable, Iterator

from threadpoolctl import threadpool_limits

from tensorguard.engines.base import Begun, Finished, Item, Result, Task
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

    def each(
        self, function: Callable[[Item, int], Result], tasks: Iterable[Task[Item]], begun: Begun[Item]
    ) -> Iterator[Finished[Item, Result]]:
        """Yield what became of each task; see `Fleet.each`."""
        keep_freed_memory()
        with threadpool_limits(1, user_api="blas"):
            for task in tasks:
                begun(task.item)
                try:
                    finished = Finished(task.item, function(task.item, 1))
                except Exception as error:  # told, as by the other engines
                    finished = Finished(task.item, None, error)
                yield finished
