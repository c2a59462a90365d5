"""What a process has taken so far: memory, processor time, bytes that it asked the system to read."""

import contextlib
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """What this process and the workers that it has seen end took.

    Attributes:
        cpu_seconds: Processor time, in the system and out of it.
        peak_memory_bytes: Most resident memory that one of the processes had.
        read_bytes: Bytes of read calls of this process, those of files in the page cache included; None where the system does not count.
    """

    cpu_seconds: float
    peak_memory_bytes: int
    read_bytes: int | None


def usage() -> Usage:
    """Ask the system."""
    counts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(each.ru_utime + each.ru_stime for each in counts)
    return Usage(cpu, max(each.ru_maxrss for each in counts) * _PEAK_UNIT, _read_bytes())


def _read_bytes() -> int | None:
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
        return int(next(line for line in lines if line.startswith("rchar:")).split()[1])
    return None
