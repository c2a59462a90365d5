"""A registry whose writers are killed: what was said to be done is there and whole, and nothing is half-written."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from benchmarks.registry_kills import kill_writers
from support.known import known
from tensorguard.registry.entry import Facts
from tensorguard.registry.registry import Registry


def test_nothing_is_lost_or_half_written_when_writers_are_killed_at_random(tmp_path: Path) -> None:
    found = kill_writers(tmp_path, [known(number) for number in range(3)], kills=30, writers=4)
    assert (found.lost, found.damaged, found.stray) == ([], [], 0)
    assert found.killed == 30
    assert found.done > 30


def killed_after(calls: int, step: Callable[[], object]) -> bool:
    """Run a step in a process that is killed when it makes its n-th call of a function; returns whether it was."""

    def child() -> None:
        made = count()

        def seen(_frame: Any, event: str, _argument: Any) -> None:
            if event in ("call", "c_call") and next(made) == calls:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(seen)
        step()
        sys.setprofile(None)
        os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def replaced(folder: Path) -> None:
    with Registry(folder) as registry:
        registry.add(known(1, tuning=0.3), Facts(family="new"))


def removed(folder: Path) -> None:
    with Registry(folder) as registry:
        registry.remove("model-1")


def indexed(folder: Path) -> None:
    with Registry(folder) as registry:
        registry.build_index(least=0)


def compacted(folder: Path) -> None:
    with Registry(folder) as registry:
        registry.compact()


@pytest.mark.parametrize(("step", "stride"), [(replaced, 211), (removed, 37), (indexed, 61), (compacted, 151)])
def test_a_step_killed_anywhere_is_done_or_was_never_begun(tmp_path: Path, step: Callable[[Path], None], stride: int) -> None:
    points = 0
    for calls in count(0, stride):
        folder = tmp_path / str(calls)
        with Registry(folder, create=True) as registry:
            before = registry.add(known(1), Facts(family="old"))
            registry.add(known(2), Facts())
            if step is compacted:
                registry.add(known(4), Facts())
                registry.build_index(least=0)
                registry.remove("model-4")
        was_killed = killed_after(calls, lambda folder=folder: step(folder))  # type: ignore[misc]
        with Registry(folder) as registry:
            assert list(registry.damage()) == []
            now = registry.find("model-1")
            if step is replaced:
                assert now is not None
                assert now == before or now.facts.family == "new"
                assert registry.fingerprint(now).name == "model-1"
            assert step not in (indexed, compacted) or now == before
            assert {hit.entry for hit in registry.search(known(1))} == set(registry.entries())
            registry.sweep()
            assert {path.stem for path in folder.rglob("*.tgfp")} == {entry.fingerprint for entry in registry.entries()}
            assert not list(folder.rglob("*.part"))
            registry.add(known(3), Facts())
            assert registry.count() == 3 - (now is None)
        points += was_killed
        if not was_killed:
            break
    assert points > 5


def made(folder: Path) -> None:
    Registry(folder, create=True).close()


def test_a_registry_killed_while_it_is_made_can_be_made_again(tmp_path: Path) -> None:
    for calls in count(0, 11):
        folder = tmp_path / str(calls)
        was_killed = killed_after(calls, lambda folder=folder: made(folder))  # type: ignore[misc]
        with Registry(folder, create=True) as registry:
            registry.add(known(1), Facts())
            assert list(registry.damage()) == []
        if not was_killed:
            break
    assert calls > 50
