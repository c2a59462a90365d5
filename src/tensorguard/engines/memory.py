"""Keep freed memory for the next tile, and give it back after the last."""

import contextlib
import ctypes
from functools import cache

import numpy as np

_LARGEST = 32 * 2**20 - 2**16
"""glibc's upper bound on its adaptive threshold (DEFAULT_MMAP_THRESHOLD_MAX), less its own overhead."""

_M_ARENA_MAX = -8
"""glibc's number of this parameter (malloc.h)."""

_ARENAS = 2


@cache
def keep_freed_memory() -> None:
    """Let the allocator reuse the memory of one tile for the next, once per process.

    glibc returns freed blocks of this size to the system, and takes page faults when it gets them back: half of the time of a
    pass over weights, as measured. It adapts: after it has freed one block of this size it keeps all smaller ones (mallopt(3),
    M_MMAP_THRESHOLD). Other allocators are not affected.
    """
    np.empty(_LARGEST, np.uint8)


def share_arenas() -> None:
    """Let all threads take memory from two common stores (glibc's mallopt(3), M_ARENA_MAX); to be called before they begin.

    Each of a server's threads would otherwise keep what it freed for itself, in one of eight stores per processor, and each store
    holds as much as the largest question that it ever answered.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


def give_back_freed_memory() -> None:
    """Return what was freed to the system, where the allocator can (glibc's malloc_trim(3)): a server's threads would each keep theirs."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
