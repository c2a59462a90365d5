"""A server's process seen from outside: memory, open files, threads, over time (Linux)."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class Watched:
    """What was seen of a process: seconds since the beginning, resident and private MB, open files, threads, processor seconds."""

    pid: int
    seen: list[tuple[float, float, float, int, int, float]] = field(default_factory=list)

    def look(self, seconds: float) -> None:
        """Look once."""
        place = Path(f"/proc/{self.pid}")
        status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
        own, private = (float(status[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon"))
        ticks = (place / "stat").read_text().rpartition(")")[2].split()[11:13]
        processor = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
        self.seen.append((seconds, own, private, len(list((place / "fd").iterdir())), int(status["Threads"]), processor))

    def slope(self, column: int) -> float:
        """Return how much a column grows per minute over the second half, by least squares."""
        half = np.array([row for row in self.seen if row[0] >= self.seen[-1][0] / 2])
        return 0.0 if len(half) < 3 else float(np.polyfit(half[:, 0] / 60, half[:, column], 1)[0])

    def at(self, share: float) -> tuple[float, float, float, int, int, float]:
        """Return what was seen when so much of the time had passed."""
        return self.seen[min(int(share * len(self.seen)), len(self.seen) - 1)]
