"""The protocol of an engine: something that applies a function to many items."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Engine(Protocol):
    """Runs tasks. Results come in the order of the items, so what is folded from them cannot depend on the engine."""

    @property
    def workers(self) -> int:
        """How many tasks run at a time."""

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield function(item) for every item, in order; the first exception ends the rest."""
