"""Many ranges at once: neighbours in one request, several requests under way."""

import functools
import os
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tensorguard.sources.base import Distant, Source
from tensorguard.sources.kept import KEPT

REQUESTS = 8
"""Requests that are under way at a time: enough for a fast line and slow answers, few enough to be polite."""

LONGEST = 1 << 23
"""Bytes of one request."""

NEAR = 1 << 14
"""Ranges with so few bytes between them are one request: to ask anew takes longer than to read these."""

IN_MEMORY = 1 << 23
"""What is fetched at once is kept in memory if it is no more than this."""


_LOCKS = [threading.Lock() for _ in range(64)]
"""Of those who want the same at the same time, the first fetches it and the others find it."""


class Span(NamedTuple):
    """A range of a source."""

    source: Source
    offset: int
    length: int


def prefetch(spans: Iterable[Span]) -> None:
    """Fetch what of these ranges lies on servers and was not kept, so that reads of them find it here; the order does not matter.

    Nothing is fetched if all of it could not be kept (`sources.kept`).

    Raises:
        InputError, NotFoundError: One cannot be read.
    """
    distant = [(span.source, span.offset, span.length) for span in spans if isinstance(span.source, Distant)]
    distant = [each for each in distant if each[0].missing(each[1], each[1] + each[2])]
    if not distant:
        return
    with _LOCKS[hash((id(distant[0][0]), *distant[0][1:])) % len(_LOCKS)]:
        requests = list(_requests(distant))
        total = sum(stop - start for _, start, stop in requests)
        if total > IN_MEMORY and total > KEPT.room:
            return  # it would be gone before it is read
        under_way = [
            _threads(os.getpid()).submit(source.fetch, start, stop, on_disk=total > IN_MEMORY)
            for source, start, stop in requests
        ]
        try:
            for future in under_way:
                future.result()
        finally:
            for future in under_way:
                future.cancel()


def in_order(spans: Iterable[Span]) -> Generator[NDArray[np.uint8], None, None]:
    """Yield the bytes of ranges in order; those on servers are asked for some time before they are wanted.

    Raises:
        InputError, NotFoundError: One cannot be read.
    """
    waiting: deque[Future[NDArray[np.uint8]] | Span] = deque()
    try:
        for span in spans:
            distant = isinstance(span.source, Distant)
            waiting.append(_threads(os.getpid()).submit(span.source.read_at, span.offset, span.length) if distant else span)
            if not distant or len(waiting) > REQUESTS:
                yield _bytes(waiting.popleft())
        while waiting:
            yield _bytes(waiting.popleft())
    finally:
        for each in waiting:
            if isinstance(each, Future):
                each.cancel()


def _bytes(each: Future[NDArray[np.uint8]] | Span) -> NDArray[np.uint8]:
    return each.result() if isinstance(each, Future) else each.source.read_at(each.offset, each.length)


def _requests(ranges: Iterable[tuple[Distant, int, int]]) -> Iterator[tuple[Distant, int, int]]:
    """Yield what to ask for, (source, first byte, byte after the last): what is missing, near ranges together, in pieces."""
    missing: dict[Distant, list[tuple[int, int]]] = {}
    for source, offset, length in ranges:
        missing.setdefault(source, []).extend(source.missing(offset, offset + length))
    for source, parts in missing.items():
        joined: list[tuple[int, int]] = []
        for start, stop in sorted(parts):
            if joined and start <= joined[-1][1] + NEAR and not _kept_between(source, joined[-1][1], start):
                joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
            else:
                joined.append((start, stop))
        yield from ((source, at, min(at + LONGEST, stop)) for start, stop in joined for at in range(start, stop, LONGEST))


def _kept_between(source: Distant, start: int, stop: int) -> bool:
    """Say whether something between two ranges is here already."""
    return start < stop and source.missing(start, stop) != [(start, stop)]


@functools.lru_cache(maxsize=1)
def _threads(_process: int) -> ThreadPoolExecutor:
    """This process's threads; what they run waits for nothing but servers."""
    return ThreadPoolExecutor(REQUESTS, thread_name_prefix="fetch")
