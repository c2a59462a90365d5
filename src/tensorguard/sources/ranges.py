"""A file that is read by ranges of somebody who takes a while to answer: what was read is kept, a little more is read than is wanted."""

import itertools
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import InputError
from tensorguard.sources.kept import KEPT

if TYPE_CHECKING:
    from tensorguard.sources.remote import RemotePath

FIRST_BYTES = 1 << 14
"""How much is read of a file at once when its first or last bytes are wanted: most headers are shorter."""

_AHEAD = 1 << 10
"""How much is read where less is wanted in the middle of a file; twice as much as before where one read follows another."""

_OWN = ("_location", "_number", "_lock", "inside")
"""What `_begin` makes anew in another process, or a listing that is not taken there."""

_NUMBERS = itertools.count()


class RangedFile(ABC):
    """One file; see `Source` and `Distant`.

    Attributes:
        name: What to call it in messages.
        size: Length in bytes.
        modified: When it was last changed, in nanoseconds since 1970; 0 if nobody says.
        inside: Where it belongs, if it is a repository's.
    """

    inside: "RemotePath | None" = None

    def __init__(self, name: str, size: int, modified: int) -> None:
        self.name, self.size, self.modified = name, size, modified
        self._begin()

    def _begin(self) -> None:
        """Set up what is of this process alone."""
        self._number, self._reached, self._ahead = next(_NUMBERS), -1, _AHEAD

    @abstractmethod
    def _fetch(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return a range as it is there now."""

    def read_at(self, offset: int, length: int) -> NDArray[np.uint8]:
        """Return exactly `length` bytes from `offset`; see `Source.read_at`."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise InputError(f"bytes {offset} to {offset + length} lie outside its {self.size} bytes", where=self.name)
        found, at, end = np.empty(length, np.uint8), offset, offset + length
        while at < end:
            at += KEPT.read(self._number, at, found[at - offset :])
            gaps = KEPT.gaps(self._number, at, end)
            if gaps and gaps[0][0] == at:
                begin, stop = self._widened(*gaps[0])
                piece = self._fetch(begin, stop)
                found[at - offset : gaps[0][1] - offset] = piece[at - begin : gaps[0][1] - begin]
                KEPT.put(self._number, begin, piece)
                at = gaps[0][1]
        return found

    def missing(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Return the parts of a range that are not kept; see `Distant.missing`."""
        return KEPT.gaps(self._number, start, stop)

    def fetch(self, start: int, stop: int, *, on_disk: bool) -> None:
        """Fetch a range and keep it; see `Distant.fetch`."""
        piece = self._fetch(start, stop)
        if on_disk:
            KEPT.store(self._number, start, piece, make_room=True)
        else:
            KEPT.hold(self._number, start, piece)

    def _widened(self, start: int, stop: int) -> tuple[int, int]:
        """Return what to fetch where a range is wanted: more of it at both ends of the file, and where small reads follow each other."""
        self._ahead = min(2 * self._ahead, FIRST_BYTES) if start == self._reached else _AHEAD
        ahead = FIRST_BYTES if start < FIRST_BYTES or self.size - start <= FIRST_BYTES else self._ahead
        high = max(stop, min(start + ahead, self.size))
        self._reached = high
        low = max(0, self.size - ahead) if self.size - start < ahead else start  # what lies at the end is read backwards
        before, after = KEPT.gaps(self._number, low, start), KEPT.gaps(self._number, start, high)
        if before and before[-1][1] == start:
            start = before[-1][0]
        return start, max(stop, after[0][1]) if after else stop

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name not in _OWN}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._begin()
