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
