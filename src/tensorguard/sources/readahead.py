"""Reading ahead: the system is told what will be read of local files, so that the disk works while the processors do."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tensorguard.sources.local import LocalFile
from tensorguard.sources.prefetching import Span

AHEAD = 1 << 27
"""Bytes that are announced ahead of their reader: enough to keep several drives busy, and little beside the system's page cache."""

_MOST = 256
"""Items that wait at a time, however little they read."""

Item = TypeVar("Item")


def read_ahead(items: Iterable[Item], span: Callable[[Item], Span | None]) -> Iterator[Item]:
    """Yield items in order, some way behind what the system was told will be read for them.

    Args:
        items: What will be read, in this order.
        span: Where an item's bytes lie; None if they lie in no one range.
    """
    waiting: deque[tuple[Item, int]] = deque()
    announced = 0
    for item in items:
        place = span(item)
        length = 0
        if place is not None and isinstance(place.source, LocalFile):
            place.source.announce(place.offset, place.length)
            length = place.length
        waiting.append((item, length))
        announced += length
        while announced > AHEAD or len(waiting) > _MOST:
            first, done = waiting.popleft()
            announced -= done
            yield first
    yield from (item for item, _ in waiting)
