"""Bytes of files on servers that were read and may be wanted again: small pieces in memory, large ones in a temporary file.

Both are bounded, and what was not used for longest makes room. Where something is no longer kept it is read again, never missing.
"""

import threading
from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.sources.spool import SLOT, Spool

MEMORY = 1 << 26
"""Bytes that small pieces may take together."""

SMALL = 1 << 17
"""A piece of at most so many bytes is kept in memory."""

_Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Piece:
    """So many bytes of a file: in memory, or in a slot of the spool."""

    length: int
    held: NDArray[np.uint8] | None
    slot: int = -1


class Kept:
    """Pieces of files, which are told apart by a number each; safe to use from several threads."""

    def __init__(self, memory: int = MEMORY, spool: Spool | None = None) -> None:
        self._memory = self._left = memory
        self._spool = spool or Spool()
        self._starts: dict[int, list[int]] = {}
        self._in_memory: OrderedDict[_Key, _Piece] = OrderedDict()
        self._on_disk: OrderedDict[_Key, _Piece] = OrderedDict()
        self._lock = threading.RLock()
        self._recordings = self._scopes = 0

    @property
    def room(self) -> int:
        """Bytes that can be kept of what is fetched at once."""
        with self._lock:
            return max(self._memory // 2, self._spool.room)

    @property
    def held(self) -> tuple[int, int]:
        """Bytes that are kept, in memory and on disk."""
        with self._lock:
            return self._memory - self._left, sum(piece.length for piece in self._on_disk.values())

    def read(self, file: int, at: int, into: NDArray[np.uint8]) -> int:
        """Copy what is kept of a file from some offset on; return how many bytes that are, 0 if that byte is not kept."""
        with self._lock:
            starts = self._starts.get(file, [])
            index = bisect_right(starts, at) - 1
            key = (file, starts[index]) if index >= 0 else (file, -1)
            tier = self._in_memory if key in self._in_memory else self._on_disk
            piece = tier.get(key)
            if piece is None or at >= key[1] + piece.length:
                return 0
            tier.move_to_end(key)
            offset = at - key[1]
            count = min(piece.length - offset, len(into))
            if piece.held is not None:
                into[:count] = piece.held[offset : offset + count]
            elif not self._spool.get(piece.slot, offset, into[:count]):
                self._drop(key)
                return 0
            return count

    def gaps(self, file: int, start: int, stop: int) -> list[tuple[int, int]]:
        """Return the parts of a range that are not kept, as (first byte, byte after the last)."""
        found = []
        with self._lock:
            starts = self._starts.get(file, [])
            at = start
            for begin in starts[max(0, bisect_right(starts, start) - 1) : bisect_left(starts, stop)]:
                if begin > at:
                    found.append((at, begin))
                at = max(at, begin + self._length((file, begin)))
        return [*found, (at, stop)] if at < stop else found

    def put(self, file: int, start: int, piece: NDArray[np.uint8]) -> None:
        """Keep a piece that was read, if it is small, or while `recording`; it must not be written to any more."""
        if len(piece) <= SMALL:
            self.hold(file, start, piece)
        elif self._recordings:
            self.store(file, start, piece, make_room=False)

    def hold(self, file: int, start: int, piece: NDArray[np.uint8]) -> None:
        """Keep a piece in memory; it must not be written to any more."""
        with self._lock:
            for begin, stop in self.gaps(file, start, start + len(piece)):
                part = piece[begin - start : stop - start]
                self._add(file, begin, _Piece(len(part), part if len(part) == len(piece) else part.copy()))

    def store(self, file: int, start: int, piece: NDArray[np.uint8], *, make_room: bool) -> None:
        """Keep a piece on disk.

        Args:
            file: Of which file it is.
            start: Where it begins there.
            piece: Its bytes.
            make_room: Give up what was not used for longest, or keep it in memory if there is no disk.
        """
        with self._lock:
            for begin, stop in self.gaps(file, start, start + len(piece)):
                for at in range(begin, stop, SLOT):
                    part = piece[at - start : min(at + SLOT, stop) - start]
                    slot = self._spool.put(part)
                    if slot < 0 and make_room and self._on_disk:
                        self._drop(next(iter(self._on_disk)))
                        slot = self._spool.put(part)
                    if slot >= 0:
                        self._add(file, at, _Piece(len(part), None, slot))
                    elif make_room:
                        self._add(file, at, _Piece(len(part), part.copy()))

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Give the temporary file up when the block ends, and all other such blocks have."""
        with self._lock:
            self._scopes += 1
        try:
            yield
        finally:
            with self._lock:
                self._scopes -= 1
                if not self._scopes:
                    for key in list(self._on_disk):
                        self._drop(key)
                    self._spool.close()

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Keep everything that is read while the block runs, as far as there is room: it will be read again."""
        with self._lock:
            self._recordings += 1
        try:
            yield
        finally:
            with self._lock:
                self._recordings -= 1

    def _add(self, file: int, start: int, piece: _Piece) -> None:
        if piece.held is None:
            self._on_disk[file, start] = piece
        else:
            self._left -= piece.length
            while self._left < 0 and self._in_memory:
                self._drop(next(iter(self._in_memory)))
            self._in_memory[file, start] = piece
        insort(self._starts.setdefault(file, []), start)

    def _drop(self, key: _Key) -> None:
        piece = self._in_memory.pop(key, None) or self._on_disk.pop(key)
        if piece.held is not None:
            self._left += piece.length
        else:
            self._spool.free(piece.slot)
        starts = self._starts[key[0]]
        del starts[bisect_left(starts, key[1])]

    def _length(self, key: _Key) -> int:
        return (self._in_memory.get(key) or self._on_disk[key]).length


KEPT = Kept()
"""Of this process."""
