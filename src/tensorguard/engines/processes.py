"""A pool of processes, for work that keeps the interpreter busy: many models at a time, or slow decoders."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from tensorguard.engines.base import Begun, Finished, Item, Result, Task
from tensorguard.engines.crew import Crew
from tensorguard.engines.ordering import map_in_order
from tensorguard.errors import ResourceError


class Processes:
    """Fresh worker processes, BLAS pinned to one thread in each.

    The function and the items have to be picklable.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield results in order; see `Engine.map`.

        Raises:
            ResourceError: A worker was killed, most likely for its memory, and so was another that tried the same.
        """
        yield from map_in_order(self, function, items)

    def each(
        self, function: Callable[[Item, int], Result], tasks: Iterable[Task[Item]], begun: Begun[Item]
    ) -> Iterator[Finished[Item, Result]]:
        """Yield what became of each task; see `Fleet.each`.

        The system kills a worker for the memory that all take together. So the second try comes when all others are done, alone.
        """
        todo, lost = iter(tasks), deque[Task[Item]]()
        running: dict[int, tuple[Task[Item], int, bool]] = {}
        crew, number, free = Crew(function), 0, self.workers
        try:
            while True:
                while free > 0:
                    task = next(todo, None)
                    again = task is None and not running and bool(lost)
                    if again:
                        task = lost.popleft()
                    if task is None:
                        break
                    number, threads = number + 1, free if again else task.threads(free)
                    begun(task.item)
                    crew.give(number, task.item, threads)
                    running[number] = task, threads, again
                    free -= threads
                if not running:
                    return
                for key, answer in crew.answers():
                    task, threads, again = running.pop(key)
                    free += threads
                    if answer is not None:
                        yield Finished(task.item, *answer)
                    elif again:
                        yield Finished(task.item, None, _killed())
                    else:
                        lost.append(task)
        finally:
            crew.dismiss()


def _killed() -> ResourceError:
    return ResourceError(
        "its worker process was killed twice, the second time while nothing else ran",
        hint="it may take more memory than there is, or somebody ends the processes",
    )
