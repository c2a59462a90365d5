"""How many workers a memory budget allows."""

import os

import pytest

from tensorguard.engines.sizing import WORKER_BYTES, available_memory, processors, workers_within


@pytest.mark.parametrize(
    ("memory", "wanted", "allowed"),
    [
        (10 * WORKER_BYTES, 4, 4),
        (3 * WORKER_BYTES + 1, 4, 3),
        (WORKER_BYTES - 1, 4, 1),
        (0, 4, 1),
        (-1, 4, 1),
    ],
)
def test_workers_fit_in_the_memory_and_one_always_runs(memory: int, wanted: int, allowed: int) -> None:
    assert workers_within(memory, wanted) == allowed


def test_the_machine_is_measured() -> None:
    assert 1 <= processors() <= (os.cpu_count() or 1)
    assert available_memory() > 0


def test_a_machine_that_does_not_tell_its_memory_is_taken_for_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr(os, "sysconf", silent)
    assert workers_within(available_memory() // 2, 64) == 2
