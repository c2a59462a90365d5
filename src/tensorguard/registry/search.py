"""Which entries are like a model: by their digests, and by their vectors: what the index names, and what is newer than it, exactly.

Entries are never changed, only added with a higher id or removed, so vectors can be kept in memory; what was removed since is told by
looking the best ones up in the database, which is done for their exact cosines anyway.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from tensorguard.engines.sizing import processors
from tensorguard.registry import rows
from tensorguard.registry.entry import Hit
from tensorguard.registry.index import Ids, Vectors, largest
from tensorguard.registry.indexes import Indexes
from tensorguard.registry.rows import LeftOut

BLOCK = 4_096
_MOST_SHARING = 1_000
"""Most entries that are looked at because they share digests."""

_ASKED = 64
"""At least so many of each basis are looked at: among near copies, eight-bit numbers do not tell which are nearest."""

_MOST_KEPT = 32
"""Blocks of one space kept in memory: 134 MB at 256 dimensions. More than these are read again by every search."""


@dataclass(slots=True)
class _Kept:
    """Full blocks of the vectors that are newer than an index."""

    newest: int
    blocks: list[tuple[Ids, Vectors]] = field(default_factory=list)


class Search:
    """The search in one registry."""

    def __init__(self, indexes: Indexes) -> None:
        self._indexes = indexes
        self._kept: dict[int, _Kept] = {}
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(processors())  # starts none before there is work

    def hits(
        self,
        connection: sqlite3.Connection,
        key: str,
        own: Mapping[str, Vectors],
        digests: tuple[int, ...],
        top: int,
        left_out: LeftOut,
    ) -> list[Hit]:
        """Return the entries of a key that share digests or are alike in any basis; see `Registry.search`."""
        places = {basis: rows.space(connection, key, basis, len(vector)) for basis, vector in own.items()}
        spaces = {basis: at for basis, at in places.items() if at is not None}
        sharing = rows.sharing(connection, digests, key, max(top, _MOST_SHARING))
        found = set(sharing).union(*(self._nearest(connection, at, own[basis], top) for basis, at in spaces.items()))
        shared = rows.shared(connection, digests, found)  # of the nearest too, should more share digests than were looked at
        best: dict[int, tuple[float, str]] = {}
        for basis, at in spaces.items():
            ids, vectors = rows.vectors_of(connection, at, len(own[basis]), found)
            for number, cosine in zip(ids.tolist(), np.clip(vectors @ own[basis], -1, 1).tolist(), strict=True):
                if number not in best or cosine > best[number][0]:
                    best[number] = (cosine, basis)
        ranked = [(shared.get(number, 0), *best.get(number, (0.0, "digests")), number) for number in found]
        ranked = sorted(ranked, key=lambda each: (-each[0], -each[1], each[3]))[:top]
        entries = rows.by_id(connection, [number for *_, number in ranked], left_out)
        return [Hit(entries[number], cosine, basis, count) for count, cosine, basis, number in ranked if number in entries]

    def _nearest(self, connection: sqlite3.Connection, space: int, vector: Vectors, top: int) -> set[int]:
        """Return the ids of the entries nearest to a vector: the best `top`, and some more."""
        newest, index = self._indexes.current(connection, space, len(vector))
        ids, scores = self._scores(connection, space, vector, newest)

        def newer(most: int) -> Ids:
            return ids[largest(scores, most)]

        def older(most: int) -> Ids:
            return ids[:0] if index is None else index.nearest(vector, most, self._threads)

        indexed = 0 if index is None else len(index)
        return _there(connection, space, newer, len(ids), top) | _there(connection, space, older, indexed, top)

    def close(self) -> None:
        """Let go of what is kept in memory, and of threads."""
        self._threads.shutdown()
        with self._lock:
            self._kept.clear()

    def _scores(self, connection: sqlite3.Connection, space: int, vector: Vectors, newest: int) -> tuple[Ids, Vectors]:
        found = [(ids, vectors @ vector) for ids, vectors in self._blocks(connection, space, len(vector), newest)]
        empty = np.empty(0, np.int64), np.empty(0, np.float32)
        return (np.concatenate([i for i, _ in found]), np.concatenate([s for _, s in found])) if found else empty

    def _blocks(
        self, connection: sqlite3.Connection, space: int, dimensions: int, newest: int
    ) -> Iterator[tuple[Ids, Vectors]]:
        with self._lock:
            kept = self._kept.get(space)
            if kept is None or kept.newest != newest:
                kept = self._kept[space] = _Kept(newest)
            known = list(kept.blocks)
        yield from known
        last = int(known[-1][0][-1]) if known else newest
        while True:
            ids, vectors = rows.vectors_after(connection, space, dimensions, last, BLOCK)
            if len(ids) == BLOCK:
                self._keep(kept, last, ids, vectors)
            if len(ids):
                yield ids, vectors
            if len(ids) < BLOCK:
                return
            last = int(ids[-1])

    def _keep(self, kept: _Kept, last: int, ids: Ids, vectors: Vectors) -> None:
        with self._lock:
            before = int(kept.blocks[-1][0][-1]) if kept.blocks else kept.newest
            if before == last and len(kept.blocks) < _MOST_KEPT:
                kept.blocks.append((ids, vectors))


def _there(connection: sqlite3.Connection, space: int, ask: Callable[[int], Ids], available: int, top: int) -> set[int]:
    """Return which of the ids asked for are still there, asking for more until `top` of them are, or no more are to be had."""
    asked = min(max(2 * top, _ASKED), available)
    while True:
        there = rows.still_there(connection, space, ask(asked).tolist()) if asked else set()
        if len(there) >= top or asked >= available:
            return there
        asked = min(4 * asked, available)
