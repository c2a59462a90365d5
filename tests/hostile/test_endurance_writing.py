"""Files that are being written when the process is killed, the disk is full, or another process writes the same."""

import errno
import multiprocessing
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tensorguard.errors import ResourceError
from tensorguard.formats import atomic
from tensorguard.formats.atomic import replacing

OLD, NEW = b"old" * 1000, b"new" * 100_000
FORK = multiprocessing.get_context("fork")


@pytest.fixture(params=["without a name", "under a temporary name"])
def named(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the file system is one that has no nameless files."""
    if request.param == "under a temporary name":
        monkeypatch.setattr(atomic, "_NAMELESS", 0)
        return True
    return False


def write(path: Path, content: bytes = NEW) -> None:
    with replacing(path) as file:
        file.write(content[:1000])
        file.write(content[1000:])


def in_a_process(step: Callable[[], object], *, kill_at: int | None = None) -> int:
    """Run a step in a process, killed at its n-th call of a function; returns the exit code."""

    def child() -> None:
        made = count()

        def seen(_frame: Any, event: str, _argument: Any) -> None:
            if event in ("call", "c_call") and next(made) == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(seen)
        step()
        sys.setprofile(None)
        os._exit(0)

    process = FORK.Process(target=child)
    process.start()
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


@pytest.mark.parametrize("before", [None, OLD])
def test_a_writer_killed_anywhere_leaves_the_old_or_the_new_and_the_next_one_clears_up(
    tmp_path: Path, named: bool, before: bytes | None
) -> None:
    path, left = tmp_path / "result", 0
    for calls in count(0, 5):
        path.unlink(missing_ok=True)
        if before is not None:
            path.write_bytes(before)
        code = in_a_process(lambda: write(path), kill_at=calls)
        there = path.read_bytes() if path.exists() else None
        assert there in (before, NEW)
        others = set(tmp_path.iterdir()) - {path}
        assert not others or named or before is not None
        left += bool(others)
        write(path)
        assert list(tmp_path.iterdir()) == [path]
        if code == 0:
            break
    assert calls > 20
    assert left or not named


def test_what_a_living_process_writes_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "_NAMELESS", 0)
    path = tmp_path / "result"
    with replacing(path) as file:
        file.write(OLD)
        assert in_a_process(lambda: write(path)) == 0
        assert path.read_bytes() == NEW
    assert path.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [path]


def test_of_many_writers_at_once_each_writes_a_whole_file(tmp_path: Path, named: bool) -> None:
    path = tmp_path / "result"
    contents = [bytes([number]) * 200_000 for number in range(6)]

    def again(content: bytes) -> None:
        for _ in range(15):
            write(path, content)

    processes = [FORK.Process(target=again, args=(content,)) for content in contents]
    for process in processes:
        process.start()
    while any(process.is_alive() for process in processes):
        assert not path.exists() or path.read_bytes() in contents
    assert [process.exitcode for process in processes] == [0] * 6
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_system_that_cannot_name_nameless_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_arguments: object, **_named: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "link", unsupported)
    for content in (OLD, NEW):
        write(tmp_path / "result", content)
        assert (tmp_path / "result").read_bytes() == content
        assert list(tmp_path.iterdir()) == [tmp_path / "result"]


def test_a_disk_that_takes_no_more(tmp_path: Path, named: bool) -> None:
    path = tmp_path / "result"
    write(path, OLD)

    def no_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        with pytest.raises(ResourceError, match=r"cannot be written: it is larger than the file system allows in .*result"):
            write(path)

    assert in_a_process(no_room) == 0
    assert path.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("code", sorted(atomic._REASONS))
def test_each_reason_is_one_sentence_with_the_file_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ResourceError) as caught:
        write(tmp_path / "result")
    assert caught.value.message.startswith("cannot be written: ")
    assert caught.value.where == str(tmp_path / "result")
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write(pipe)
    reader.join()
    assert read == [NEW]
    assert pipe.is_fifo()


def test_an_open_descriptor_is_written_to_and_its_name_not_replaced(tmp_path: Path) -> None:
    with (tmp_path / "redirected").open("wb") as file:
        file.write(OLD)
        file.flush()
        for name in (f"/dev/fd/{file.fileno()}", f"/proc/self/fd/{file.fileno()}"):
            write(Path(name))
    assert (tmp_path / "redirected").read_bytes() == OLD + NEW + NEW


def test_the_longest_name_of_characters_of_several_bytes(tmp_path: Path, named: bool) -> None:
    path = tmp_path / ("名" * 85)
    write(path, OLD)
    write(path, NEW)
    assert path.read_bytes() == NEW
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def strange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody else's link to a file, under the first temporary name."""
    monkeypatch.setattr(atomic, "_NAMELESS", 0)
    victim = tmp_path / "victim"
    victim.write_bytes(OLD)
    name = next(atomic._Part(tmp_path / "result")._names())
    for path in tmp_path.glob(".result*-0.part"):
        path.unlink()
        name = path
    name.symlink_to(victim)
    return victim


def test_a_link_under_the_temporary_name_is_not_followed(tmp_path: Path, strange: Path) -> None:
    write(tmp_path / "result")
    assert strange.read_bytes() == OLD
    assert (tmp_path / "result").read_bytes() == NEW
    assert not (tmp_path / "result").is_symlink()
