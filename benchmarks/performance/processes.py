"""One command as a whole process: its seconds, its processor time and its memory, as the system accounts for them."""

import os
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]

_POLL = 0.005
"""Seconds between two looks whether a command has ended."""


@dataclass(frozen=True)
class Cost:
    """What a command took.

    Attributes:
        seconds: From its start to its end.
        cpu: Seconds of processor time, user and system, of it and the processes it waited for.
        peak: Most bytes of memory that it held, looked at every few milliseconds.
        output: What it printed, if that was wanted.
    """

    seconds: float
    cpu: float
    peak: int
    output: str = ""


class FailedError(Exception):
    """The command ended with an error, or took too long."""


def run(command: Sequence[str], timeout: float = 3600, *, told: bool = False) -> Cost:
    """Run a command and wait for it; what it prints goes nowhere unless it is to be `told`.

    Raises:
        FailedError: It failed or took longer than `timeout` seconds; the message says why.
    """
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "HF_HUB_OFFLINE": "1", "NO_COLOR": "1"}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        out = output if told else subprocess.DEVNULL
        process = subprocess.Popen(command, stdout=out, stderr=errors, stdin=subprocess.DEVNULL, env=environment, cwd=ROOT)
        peak = 0
        while True:
            peak = max(peak, _held(process.pid))
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            seconds = time.perf_counter() - started
            if ended:
                break
            if seconds > timeout:
                process.kill()
                os.wait4(process.pid, 0)
                raise FailedError(f"more than {timeout:.0f} s")
            time.sleep(_POLL)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise FailedError((_text(errors).strip().splitlines() or ["without a word"])[-1])
        return Cost(seconds, usage.ru_utime + usage.ru_stime, peak, _text(output))


def _held(process: int) -> int:
    """Return the most memory that a process has held so far; the system's own account at its end counts what its parent held, too."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def forget(files: Sequence[Path]) -> None:
    """Drop files from the page cache."""
    os.sync()
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def remember(files: Sequence[Path]) -> None:
    """Bring files into the page cache, as far as they fit."""
    run(["cat", *map(str, files)])


def median(costs: Sequence[Cost], of: Callable[[Cost], float]) -> float:
    """Return the median of one figure."""
    return statistics.median(of(cost) for cost in costs)
