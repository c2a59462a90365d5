"""`Engine.map` by an engine's own `each`."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from tensorguard.engines.base import Fleet, Item, Result, Task, ignore


def map_in_order(fleet: Fleet, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield function(item) for every item, in order; the first exception ends the rest. What is ready early is kept until its turn."""
    tasks = (Task(numbered) for numbered in enumerate(items))
    early: dict[int, tuple[Result | None, Exception | None]] = {}
    turn = 0
    for finished in fleet.each(partial(_one, function), tasks, ignore):
        early[finished.item[0]] = finished.result, finished.error
        while turn in early:
            result, error = early.pop(turn)
            if error is not None:
                raise error
            yield result  # type: ignore[misc]  # there is one, or an error
            turn += 1


def _one(function: Callable[[Item], Result], numbered: tuple[int, Item], threads: int) -> Result:  # noqa: ARG001
    return function(numbered[1])
