"""Commands that are told to end while they write, whose reader goes away, and what a killed server leaves."""

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from support.commands import PROGRAM
from support.containers import save_sharded
from support.served import API, RAW, error_kind, registry, sent, served
from tensorguard.cli.main import main
from tensorguard.formats import writer
from tensorguard.serve import uploads
from tensorguard.serve.uploads import Uploads

FORK = multiprocessing.get_context("fork")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_command_that_is_ended_while_it_writes_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    save_sharded(tmp_path / "model")
    out = tmp_path / "out" / "one.safetensors"
    out.parent.mkdir()
    out.write_bytes(b"earlier")
    begun, whole = FORK.Event(), writer._write_tensor

    def slowly(*arguments: object) -> None:
        whole(*arguments)  # type: ignore[arg-type]
        begun.set()
        threading.Event().wait(60)

    monkeypatch.setattr(writer, "_write_tensor", slowly)
    monkeypatch.setattr(sys, "argv", ["tensorguard", "merge", str(tmp_path / "model"), "-o", str(out), "--force"])
    process = FORK.Process(target=main)
    process.start()
    assert begun.wait(60)
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join(60)
    assert process.exitcode == code
    assert out.read_bytes() == b"earlier"
    assert list(out.parent.iterdir()) == [out]


def test_a_hang_up_that_is_ignored_stays_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["tensorguard", "--version"])
    told = FORK.Queue()

    def under_nohup() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            main()
        finally:
            told.put(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)

    process = FORK.Process(target=under_nohup)
    process.start()
    assert told.get(timeout=60)
    process.join(60)
    assert process.exitcode == 0


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    known = registry(tmp_path / "known")
    reader, writing = os.pipe()
    os.close(reader)
    command = [*PROGRAM, "registry", "list", "--registry", str(known)]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def full(*_arguments: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_what_is_sent_to_a_server_whose_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_write", full)
    with served(registry(tmp_path / "known")) as client:
        for path in ("search", "jobs/upload"):
            answer = client.post(f"{API}/{path}", content=sent(), headers=RAW)
            assert answer.status_code == 503
            assert error_kind(answer) == "resource"
            assert "the disk is full" in answer.text
            assert "tensorguard-serve" not in answer.text
        assert list(Path(client.service.uploads._folder.name).iterdir()) == []


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def made(folder: Path, *, long_ago: bool = True) -> Path:
    (folder / "tensorguard-serve-some" / "in").mkdir(parents=True)
    if long_ago:
        os.utime(folder / "tensorguard-serve-some", (1_000_000_000, 1_000_000_000))
    return folder / "tensorguard-serve-some"


@pytest.mark.parametrize("what", ["killed", "just made", "living", "link"])
def test_a_server_removes_what_killed_ones_left_and_nothing_else(temporary: Path, what: str) -> None:
    beginnings: dict[str, Callable[[], Path]] = {
        "killed": lambda: made(temporary),
        "just made": lambda: made(temporary, long_ago=False),
        "living": lambda: Path(living._folder.name),
        "link": lambda: linked(temporary),
    }
    living = Uploads()
    os.utime(living._folder.name, (1_000_000_000, 1_000_000_000))
    other = beginnings[what]()
    second = Uploads()
    assert other.exists() == (what != "killed")
    second.close()
    living.close()


def linked(folder: Path) -> Path:
    """Somebody's link to a folder of ours."""
    ours = folder / "ours"
    ours.mkdir()
    os.utime(ours, (1_000_000_000, 1_000_000_000))
    (folder / "tensorguard-serve-link").symlink_to(ours)
    return ours
