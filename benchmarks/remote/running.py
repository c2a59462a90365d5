"""A command run against a hub, as by a user who has nothing in caches: how long it takes, and how much memory."""

import json
import os
import resource
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_FORGOTTEN = ("HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HUGGING_FACE_HUB_TOKEN", "TENSORGUARD_REGISTRY")
_TICK = 0.02
"""Seconds between two looks at a process."""


@dataclass(frozen=True)
class Run:
    """What became of a command.

    Attributes:
        said: Its output as JSON; None if it is none.
        complaint: What went wrong, where there is no JSON.
        seconds: From start to end of the process.
        computing: Seconds of processors; unlike `seconds`, hardly more on a busy machine.
        memory: Its peak resident memory, in bytes.
    """

    said: Any
    complaint: str
    seconds: float
    computing: float
    memory: int


def run(command: Sequence[str], endpoint: str, home: Path, patience: float) -> Run:
    """Run a command with an empty cache, and kill it after `patience` seconds.

    Args:
        command: Its arguments.
        endpoint: The hub's address.
        home: Where it may keep what it keeps for its user.
        patience: Seconds.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _FORGOTTEN}
    own = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home / "hub"), "HOME": str(home), "TENSORGUARD_ALLOW_PRIVATE": "1"}
    environment = kept | own | {"PYTHONPATH": str(_ROOT), "COLUMNS": "200"}
    home.mkdir(parents=True, exist_ok=True)
    said, complaints = home / "said", home / "complaints"
    with said.open("w") as out, complaints.open("w") as errors:
        began, spent = time.perf_counter(), _computed()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, env=environment)
        code, memory = _end(process, began + patience)
        seconds, computing = time.perf_counter() - began, _computed() - spent
    if code is None:
        return Run(None, f"not done in {patience:.0f} s", seconds, computing, memory)
    try:
        return Run(json.loads(said.read_text()), "", seconds, computing, memory)
    except ValueError:
        return Run(
            None, "" if code == 0 else f"failed: {_complaint(complaints) or f'exit code {code}'}", seconds, computing, memory
        )


def _end(process: subprocess.Popen[bytes], deadline: float) -> tuple[int | None, int]:
    """Wait for a process, and stop it if it takes too long; return its exit code, if it ended by itself, and its peak memory."""
    memory = 0
    while process.poll() is None:
        if time.perf_counter() > deadline:
            process.kill()
            process.wait()
            return None, memory
        memory = max(memory, _peak(process.pid))
        time.sleep(_TICK)
    return process.returncode, memory


def _computed() -> float:
    """Return the seconds of processors that children which have ended took."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _peak(pid: int) -> int:
    """Return a process's peak memory so far; what `wait4` tells of a child begins with its parent's."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _complaint(file: Path) -> str:
    lines = file.read_text(errors="replace").strip().splitlines() or [""]
    try:
        return str(json.loads(lines[-1])["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return lines[-1]
