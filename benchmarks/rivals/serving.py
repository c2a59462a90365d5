"""A rival's side of the pipe: JSON lines in, JSON lines out. Standard library only, for it runs in the rival's own environment."""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol, TextIO


class AbstainError(Exception):
    """The rival has nothing to say about this model or this pair; the message says why."""


class Answer(NamedTuple):
    """A pair's score (higher: more related) and the verdict by the rival's own default threshold, None if it has none."""

    score: float
    linked: bool | None = None


class Driver(Protocol):
    """What a rival has to be able to do. Any exception counts as an abstention and is reported with its text."""

    def prepare(self, model: Path) -> int:
        """Compute and keep a model's fingerprint; return its size in bytes."""

    def compare(self, a: Path, b: Path) -> Answer:
        """Compare two prepared models."""


def serve(make: Callable[[], Driver]) -> None:
    """Answer requests from standard input until it ends; what the rival prints goes to standard error."""
    replies = _claim_stdout()
    driver = make()
    _reply(replies, {})
    for line in sys.stdin:
        request = json.loads(line)
        began = time.perf_counter()
        try:
            if "prepare" in request:
                reply = {"size": driver.prepare(Path(request["prepare"]))}
            else:
                score, linked = driver.compare(Path(request["a"]), Path(request["b"]))
                reply = {"score": float(score), "linked": linked}
        except AbstainError as reason:
            reply = {"failure": str(reason)}
        except Exception as error:
            reply = {"failure": f"{type(error).__name__}: {error}"}
        _reply(replies, {**reply, "seconds": time.perf_counter() - began})


def _claim_stdout() -> TextIO:
    """Keep standard output for replies; whatever else writes to it reaches standard error instead."""
    kept = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return kept


def _reply(replies: TextIO, answer: dict[str, object]) -> None:
    replies.write(json.dumps({**answer, "memory": _peak_memory()}) + "\n")
    replies.flush()


def _peak_memory() -> int:
    """Most resident bytes so far. Linux's `ru_maxrss` would count what the parent held when it started this process."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) * 1024 for line in status.read_text("utf-8").splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
