"""What happens when the command is ended from outside, and where its output cannot go."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "tensorguard"]


@pytest.fixture
def pooled(models: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], list[int]]]:
    """A run over several models that has started its worker processes, and their ids."""
    arguments = ["fingerprint", *map(str, sorted(models.iterdir())), "-o", str(tmp_path / "out"), "--workers", "2"]
    arguments += ["--repeats", "3000", "--layers", "all"]
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        deadline = time.monotonic() + 60
        while len(ids := children.read_text().split()) < 3 and time.monotonic() < deadline:  # two workers, one tracker
            time.sleep(0.02)
        yield process, [int(number) for number in ids]
        process.kill()


def alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks /proc who the workers are")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_the_command(pooled: tuple[subprocess.Popen[bytes], list[int]], number: int) -> None:
    process, workers = pooled
    assert len(workers) == 3
    process.send_signal(number)
    assert process.wait(60) == {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143}[number]
    deadline = time.monotonic() + 60
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(alive, workers))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_behind_stdout_is_said(models: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run([*COMMAND, "inspect", str(models / "llama")], stdout=full, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 6
    assert ended.stderr.startswith("tensorguard: error: cannot be written: the disk is full\n")


def test_closed_stdout_and_stderr_are_no_fault(models: Path) -> None:
    def close() -> None:
        os.close(1)
        os.close(2)

    assert subprocess.run([*COMMAND, "inspect", str(models / "llama")], preexec_fn=close).returncode == 0
    assert subprocess.run([*COMMAND, "inspect", str(models / "none")], preexec_fn=close).returncode == 4
