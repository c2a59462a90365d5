"""Bytes that are in memory already, such as a file out of an archive."""

import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import InputError


class HeldFile:
    """A file that is in memory; see `Source`."""

    modified = 0

    def __init__(self, raw: bytes, name: str) -> None:
        self._raw, self.name = raw, name

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self._raw)

    def read_at(self, offset: int, length: int) -> NDArray[np.uint8]:
        """Return exactly `length` bytes from `offset`; see `Source.read_at`."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise InputError(f"bytes {offset} to {offset + length} lie outside its {self.size} bytes", where=self.name)
        return np.frombuffer(self._raw, np.uint8, length, offset).copy()
