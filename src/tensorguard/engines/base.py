"""The protocols of engines: something that applies a function to many items, in order; or to many large ones, whatever happens."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Engine(Protocol):
    """Runs tasks. Results come in the order of the items, so what is folded from them cannot depend on the engine."""

    @property
    def workers(self) -> int:
        """How many tasks run at a time."""

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield function(item) for every item, in order; the first exception ends the rest."""


@dataclass(frozen=True, slots=True)
class Task(Generic[Item]):
    """A large piece of work.

    Attributes:
        item: What the function is given.
        share: Its share, from 0 to 1, of all work from here on: a task may have more than one thread for what it weighs.
    """

    item: Item
    share: float = 0.0

    def threads(self, free: int) -> int:
        """Return how many of the free processors it should have, at least one."""
        return max(1, min(free, round(self.share * free)))


@dataclass(frozen=True, slots=True)
class Finished(Generic[Item, Result]):
    """What became of a task: a result, or the error that it raised or that its worker was lost with."""

    item: Item
    result: Result | None
    error: Exception | None = None


Begun = Callable[[Item], None]
"""Told of an item when a worker takes it on."""


class Fleet(Engine, Protocol):
    """An engine for large tasks that have nothing to do with each other, such as models."""

    def each(
        self, function: Callable[[Item, int], Result], tasks: Iterable[Task[Item]], begun: Begun[Item]
    ) -> Iterator[Finished[Item, Result]]:
        """Yield what became of every task as soon as it is known.

        A task whose worker is lost is tried again; if that ends in the same way it is told as finished with a `ResourceError`, and the
        others go on.

        Args:
            function: Takes an item, and how many threads it may use; must not let its result depend on that.
            tasks: Taken one by one as processors become free.
            begun: Told of each as it begins.

        Raises:
            ResourceError: No worker can be started.
        """


def ignore(item: object) -> None:
    """Be told of an item, and do nothing."""
