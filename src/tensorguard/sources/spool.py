"""A temporary file without a name: what was read of a server and is wanted again, where memory is too small for it."""

import os
import shutil
import tempfile
from typing import IO

import numpy as np
from numpy.typing import NDArray

from tensorguard.limits import MAX_SPOOL_BYTES

SLOT = 1 << 20
"""Bytes that are kept or given up at a time."""

_ROOMY = "/var/tmp"  # noqa: S108
"""Where temporary files may be large: /tmp is memory on many machines. TMPDIR goes before."""


class Spool:
    """Slots of a file that exists as long as it is open, readable by this user alone. Not safe to use from several threads."""

    def __init__(self, most: int = MAX_SPOOL_BYTES) -> None:
        self._most = most
        self._file: IO[bytes] | None = None
        self._free: list[int] = []
        self._made = self._slots = 0

    @property
    def room(self) -> int:
        """Bytes that it can hold."""
        return self._slots * SLOT if self._file is not None or self._open() else 0

    def put(self, piece: NDArray[np.uint8]) -> int:
        """Write a piece of at most `SLOT` bytes; return its slot, or -1 if there is no room left or no disk."""
        if not self._free and self._made == self._slots and not self._open():
            return -1
        slot = self._free.pop() if self._free else self._made
        try:
            done = os.pwrite(self._descriptor, piece.data, slot * SLOT)
        except OSError:  # the disk is full: no reason to fail, since a server has it
            done = -1
        if done != len(piece):
            self._slots = self._made
            return -1
        self._made = max(self._made, slot + 1)
        return slot

    def get(self, slot: int, offset: int, into: NDArray[np.uint8]) -> bool:
        """Fill an array with what lies in a slot from some offset on; say whether all of it was there."""
        try:
            return os.preadv(self._descriptor, [into.data], slot * SLOT + offset) == len(into)
        except OSError:
            return False

    def free(self, slot: int) -> None:
        """Give a slot up."""
        self._free.append(slot)

    def close(self) -> None:
        """Give everything up."""
        if self._file is not None:
            self._file.close()
        self._file, self._free, self._made, self._slots = None, [], 0, 0

    @property
    def _descriptor(self) -> int:
        return -1 if self._file is None else self._file.fileno()

    def _open(self) -> bool:
        """Make the file if there is none yet; half of what is free stays so."""
        if self._file is not None:
            return False
        folder = os.environ.get("TMPDIR") or (_ROOMY if os.access(_ROOMY, os.W_OK) else tempfile.gettempdir())
        try:
            self._slots = min(self._most, shutil.disk_usage(folder).free // 2) // SLOT
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        except OSError:
            self._slots = 0
        return self._slots > 0
