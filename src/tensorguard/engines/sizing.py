"""How many workers a machine and a memory budget allow."""

import os
import re
from pathlib import Path

WORKER_BYTES = 250_000_000
"""What one worker process takes at its peak, whatever the model's depth: 196 MB at the widths of 70 B, by `benchmarks.fleet.worker`."""

_GROUP = Path("/sys/fs/cgroup")
"""Limits of a container, as version 2 of control groups shows them from inside."""


def processors() -> int:
    """Return how many processors this process may use: those it may run on, and no more than a container's share of time."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _said(_GROUP / "cpu.max").partition(" ")
    if quota.isdigit() and period.strip().isdigit() and int(period) > 0:
        allowed = min(allowed, -(-int(quota) // int(period)))
    return max(1, allowed)


def available_memory() -> int:
    """Return the bytes of memory that can be had now, pages that only cache files included, within a container's limit."""
    free = _number(r"MemAvailable:\s+(\d+) kB", _said(Path("/proc/meminfo")))
    available = _free_pages() if free is None else 1024 * free
    limit = _number(r"(\d+)", _said(_GROUP / "memory.max"))
    used = _number(r"(\d+)", _said(_GROUP / "memory.current"))
    if limit is None or used is None:
        return available
    cached = sum(
        _number(rf"(?m)^{kind} (\d+)$", _said(_GROUP / "memory.stat")) or 0 for kind in ("inactive_file", "active_file")
    )
    return max(0, min(available, limit - used + cached))


def workers_within(memory: int, wanted: int) -> int:
    """Return the number of worker processes, at least one, that fit in `memory` bytes, at most `wanted`."""
    return max(1, min(wanted, memory // WORKER_BYTES))


def _free_pages() -> int:
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 4 * WORKER_BYTES


def _said(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _number(pattern: str, text: str) -> int | None:
    found = re.search(pattern, text)
    return int(found[1]) if found else None
