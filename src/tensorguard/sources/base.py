"""The protocol of a source of bytes."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@runtime_checkable
class Source(Protocol):
    """A readable sequence of bytes of known size. Implementations are picklable and safe to read from several threads."""

    @property
    def name(self) -> str:
        """What to call it in messages; untrusted text."""

    @property
    def size(self) -> int:
        """Length in bytes."""

    @property
    def modified(self) -> int:
        """When it was last changed, in nanoseconds since 1970."""

    def read_at(self, offset: int, length: int) -> NDArray[np.uint8]:
        """Return exactly `length` bytes from `offset` as a writable uint8 array.

        Raises:
            InputError: The range is outside the source, or the source ended early (it changed while it was read).
        """


@runtime_checkable
class Distant(Source, Protocol):
    """A source that every read of takes a round trip to; see `prefetch`."""

    def missing(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Return the parts of a range, (first byte, byte after the last), that reading it would have to fetch."""

    def fetch(self, start: int, stop: int, *, on_disk: bool) -> None:
        """Fetch a range and keep it for reads to come, in memory or in a temporary file.

        Raises:
            InputError, NotFoundError: It cannot be read.
        """
