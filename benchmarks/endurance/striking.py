"""Run a command in processes of its own and kill it: at a random time, while it writes, or at a random call of the code that writes."""

import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Way = Literal["time", "writing", "call", "worker"]

PATIENCE = 300.0
"""Seconds until a command that does not end is a fault."""


@dataclass(frozen=True)
class Struck:
    """What became of a command.

    Attributes:
        phase: What it was at when it was killed; None if it had ended by itself.
        code: Its exit code; negative for a signal.
        seconds: How long it ran.
        said: What it printed, stderr last.
    """

    phase: str | None
    code: int
    seconds: float
    said: str


def begin(arguments: list[str], log: Path, *, program: bool, at_call: int | None = None) -> int:
    """Start a command as the leader of a new process group; returns its process id.

    Args:
        arguments: The command line.
        log: What it prints goes here.
        program: As a program of its own, instead of in a copy of this process that has everything imported.
        at_call: Stop (SIGSTOP) at this call of the code that writes.
    """
    if program:
        with log.open("wb") as file:
            command = [sys.executable, "-m", "tensorguard", *arguments]
            return subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True).pid
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(descriptor, stream)
        sys.argv = ["tensorguard", *arguments]
        if at_call is not None:
            sys.setprofile(_stopper(at_call))
        from tensorguard.cli.main import main

        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    finally:
        sys.setprofile(None)
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(code)


def strike(
    arguments: list[str], out: Path, log: Path, way: Way, rng: random.Random, usual: "Usual", *, program: bool
) -> Struck:
    """Run a command and kill it, and all of its processes (or one worker alone)."""
    at_call = rng.randrange(usual.calls) if way == "call" else None
    started = time.monotonic()
    pid = begin(arguments, log, program=program, at_call=at_call)
    moment = started + rng.uniform(0, usual.seconds)
    seen = 0.0
    while True:
        found, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
        now = time.monotonic()
        if found and not os.WIFSTOPPED(status):
            return Struck(None, os.waitstatus_to_exitcode(status), now - started, log.read_text("utf-8", "replace"))
        if found:
            break
        if way == "time" and now >= moment:
            break
        if way == "worker" and now >= moment and len(group(pid)) > 1:
            return _without_a_worker(pid, log, rng, started)
        if way == "writing" and not seen and _writes(pid, out, program):
            seen = now + rng.uniform(0, usual.writing)
        if seen and now >= seen:
            break
        if now - started > PATIENCE:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return Struck(None, -99, now - started, "it did not end")
        time.sleep(0.0005)
    for each in group(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGSTOP)
    doing = phase(group(pid), out)
    os.killpg(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    while group(pid):
        time.sleep(0.001)
    return Struck(doing, code, time.monotonic() - started, log.read_text("utf-8", "replace"))


def _without_a_worker(pid: int, log: Path, rng: random.Random, started: float) -> Struck:
    victim = rng.choice([each for each in group(pid) if each != pid])
    with contextlib.suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    code = ended(pid)
    return Struck("a worker alone", code, time.monotonic() - started, log.read_text("utf-8", "replace"))


def ended(pid: int) -> int:
    """Wait for a command that was begun; returns its exit code."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return -99


@dataclass(frozen=True)
class Usual:
    """How a command goes that nobody disturbs: its seconds, those in which it writes, and the calls of the code that writes."""

    seconds: float
    writing: float
    calls: int


def undisturbed(arguments: list[str], out: Path, log: Path, *, program: bool) -> tuple[Usual, int]:
    """Run a command to its end and watch it; returns how it goes, and its exit code."""
    started, first, last = time.monotonic(), 0.0, 0.0
    pid = begin(arguments, log, program=program)
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        now = time.monotonic()
        if found:
            break
        if _writes(pid, out, program):
            first, last = first or now, now
        time.sleep(0.0005)
    return Usual(now - started, max(0.002, last - first), 0), os.waitstatus_to_exitcode(status)


def calls_of(arguments: list[str], log: Path) -> int:
    """Return how many calls the code makes that writes."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        counted = itertools.count()
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(descriptor, stream)
        sys.setprofile(_counter(lambda: next(counted)))
        try:
            from tensorguard.cli.main import run

            run(arguments)
        finally:
            sys.setprofile(None)
            os.write(writer, str(next(counted)).encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        calls = int(answer.read() or 1)
    os.waitpid(child, 0)
    return max(1, calls)


_WRITERS = (
    "formats/atomic.py",
    "formats/writer.py",
    "registry/database.py",
    "registry/files.py",
    "registry/rows.py",
    "registry/archive.py",
)
"""Code that writes; calls are counted that it makes."""


def _counter(counted: Callable[[], object]) -> Callable[[Any, str, Any], None]:
    def seen(frame: Any, event: str, _argument: Any) -> None:
        if event in ("call", "c_call") and frame.f_code.co_filename.endswith(_WRITERS):
            counted()

    return seen


def _stopper(at_call: int) -> Callable[[Any, str, Any], None]:
    made = itertools.count()

    def counted() -> None:
        if next(made) == at_call:
            os.kill(os.getpid(), signal.SIGSTOP)

    return _counter(counted)


def group(leader: int) -> list[int]:
    """Return the living processes of a group."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                if int(fields[2]) == leader and fields[0] != "Z":
                    found.append(int(process.name))
    return found


def phase(processes: list[int], out: Path) -> str:
    """Say what processes are at, by the files that they have open."""
    names = [name for each in processes for name in _open_files(each)]
    if any(_is_output(name, out) for name in names):
        return "writing"
    if any("registry.sqlite" in name for name in names):
        return "in the registry"
    if any(name.endswith((".safetensors", ".tgfp", ".tar")) for name in names):
        return "reading"
    return "between" if any(out.iterdir()) else "starting"


def _writes(pid: int, out: Path, program: bool) -> bool:
    return any(_is_writing(each, out) for each in (group(pid) if program else (pid,)))


def _is_writing(process: int, out: Path) -> bool:
    return any(_is_output(name, out) or "registry.sqlite" in name for name in _open_files(process))


def _is_output(name: str, out: Path) -> bool:
    return name.startswith(str(out)) and (name.endswith(" (deleted)") or ".part" in name)


def _open_files(process: int) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for opened in Path(f"/proc/{process}/fd").iterdir():
            with contextlib.suppress(OSError):
                yield str(opened.readlink())
