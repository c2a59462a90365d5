"""What a process holds, as Linux tells: memory, open files, threads, temporary files."""

import os
from pathlib import Path

COLUMNS = ("rss_mb", "uss_mb", "files", "threads", "temporary", "cpu_s")


def measured(pid: int, temporary: Path) -> tuple[float, float, int, int, int, float]:
    """Return a row as `COLUMNS` name it; zeros for a process that has ended."""
    try:
        memory = _fields(Path(f"/proc/{pid}/smaps_rollup"))
        status = _fields(Path(f"/proc/{pid}/status"))
        files = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except (OSError, ProcessLookupError):
        return 0.0, 0.0, 0, 0, 0, 0.0
    own = memory.get("Private_Clean", 0) + memory.get("Private_Dirty", 0)
    temporaries = sum(path.is_file() for path in temporary.rglob("*"))
    return (
        round(memory.get("Rss", 0) / 1e3, 2),
        round(own / 1e3, 2),
        files,
        status.get("Threads", 0),
        temporaries,
        round(processor_seconds(pid), 2),
    )


def processor_seconds(pid: int) -> float:
    """Return how long a process has computed, with the children that it waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _fields(path: Path) -> dict[str, int]:
    """Return the numbers of a file of `NAME: NUMBER` lines; memory is in kB."""
    found = {}
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        number = value.split()[:1]
        if number and number[0].isdigit():
            found[name] = int(number[0])
    return found
