"""Keep freed memory for the next tile."""

from functools import cache

import numpy as np

_LARGEST = 32 * 2**20 - 2**16
"""glibc's upper bound on its adaptive threshold (DEFAULT_MMAP_THRESHOLD_MAX), less its own overhead."""


@cache
def keep_freed_memory() -> None:
    """Let the allocator reuse the memory of one tile for the next, once per process.

    glibc returns freed blocks of this size to the system, and takes page faults when it gets them back: half of the time of a
    pass over weights, as measured. It adapts: after it has freed one block of this size it keeps all smaller ones (mallopt(3),
    M_MMAP_THRESHOLD). Other allocators are not affected.
    """
    np.empty(_LARGEST, np.uint8)
