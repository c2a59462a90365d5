"""Progress events: long work tells a listener what it has done, and never prints."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

from tensorguard.errors import TensorGuardError

_Item = TypeVar("_Item")

Fact = str | int | float | bool | None
"""What an event says of one thing; errors are said in words."""


class Progress(Protocol):
    """Somebody who wants to know how far long work is. All calls are cheap and may come from any thread."""

    def start(self, task: str, total: int, unit: str) -> None:
        """A task begins: `total` units (bytes, models, tensors) are to be done."""

    def advance(self, task: str, amount: int) -> None:
        """`amount` more units of the task are done."""

    def finish(self, task: str) -> None:
        """The task is over, done or not."""

    def event(self, name: str, **facts: Fact) -> None:
        """Something happened that a log would tell: `model`, when one of many is done, with model, status, seconds, bytes and error."""


class Silent:
    """The listener that does not listen; the library's default."""

    def start(self, task: str, total: int, unit: str) -> None:
        """Ignore the event."""

    def advance(self, task: str, amount: int) -> None:
        """Ignore the event."""

    def finish(self, task: str) -> None:
        """Ignore the event."""

    def event(self, name: str, **facts: Fact) -> None:
        """Ignore the event."""


class Several:
    """Passes everything on to several listeners."""

    def __init__(self, listeners: Sequence[Progress]) -> None:
        self._listeners = tuple(listeners)

    def start(self, task: str, total: int, unit: str) -> None:
        """See `Progress.start`."""
        for each in self._listeners:
            each.start(task, total, unit)

    def advance(self, task: str, amount: int) -> None:
        """See `Progress.advance`."""
        for each in self._listeners:
            each.advance(task, amount)

    def finish(self, task: str) -> None:
        """See `Progress.finish`."""
        for each in self._listeners:
            each.finish(task)

    def event(self, name: str, **facts: Fact) -> None:
        """See `Progress.event`."""
        for each in self._listeners:
            each.event(name, **facts)


def tell_over(
    progress: Progress, model: str, status: str, began: float, error: TensorGuardError | None = None, nbytes: int | None = None
) -> None:
    """Tell that one of many models is over, which was begun when `time.monotonic()` was `began`."""
    why = {} if error is None else error.fields()
    facts = {"error": why.pop("message", None), **why}
    progress.event("model", model=model, status=status, seconds=time.monotonic() - began, bytes=nbytes, **facts)


@contextmanager
def step(task: str, progress: Progress) -> Iterator[None]:
    """Tell of a task that is done in one go."""
    progress.start(task, 1, "steps")
    try:
        yield
        progress.advance(task, 1)
    finally:
        progress.finish(task)


def counted(items: Iterable[_Item], task: str, total: int, progress: Progress) -> Iterator[_Item]:
    """Yield items, each of which is one unit of a task, named as they are."""
    progress.start(task, total, task)
    try:
        for item in items:
            yield item
            progress.advance(task, 1)
    finally:
        progress.finish(task)
