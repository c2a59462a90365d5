"""How many workers a machine and a memory budget allow."""

import os

WORKER_BYTES = 300_000_000
"""What one worker process takes at its peak, whatever the model's size; `benchmarks/reading.py` measures it."""


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_memory() -> int:
    """Return the bytes of memory that are free for use now, as the system sees it."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 4 * WORKER_BYTES


def workers_within(memory: int, wanted: int) -> int:
    """Return the number of worker processes, at least one, that fit in `memory` bytes, at most `wanted`."""
    return max(1, min(wanted, memory // WORKER_BYTES))
