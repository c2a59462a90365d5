"""The last few small pieces that were read of a file: headers are asked for again and again."""

import threading

import numpy as np
from numpy.typing import NDArray

_LONGEST = 1 << 22
_MOST = 4


class Windows:
    """A few pieces of a file, the one that was used last at the end; safe to use from several threads."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, NDArray[np.uint8]]] = []
        self._lock = threading.Lock()

    def keep(self, start: int, piece: NDArray[np.uint8]) -> None:
        """Remember a piece, unless it is long; the head of the file is not forgotten for others."""
        if len(piece) > _LONGEST:
            return
        with self._lock:
            self._kept = [each for each in self._kept if not start <= each[0] <= each[0] + len(each[1]) <= start + len(piece)]
            if len(self._kept) >= _MOST:
                del self._kept[1 if self._kept[0][0] == 0 else 0]
            self._kept.append((start, piece))
            self._kept.sort(key=lambda each: each[0] != 0)

    def find(self, offset: int, length: int) -> NDArray[np.uint8]:
        """Return the beginning of a range as far as one piece holds it; not to be written to."""
        best = np.empty(0, np.uint8)
        with self._lock:
            for start, piece in self._kept:
                if start <= offset < start + len(piece):
                    found = piece[offset - start : offset - start + length]
                    best = found if len(found) > len(best) else best
        return best
