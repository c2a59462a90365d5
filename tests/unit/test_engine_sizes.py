"""How many workers a memory budget allows."""

import os
from pathlib import Path

import pytest

from tensorguard.engines import sizing
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
    monkeypatch.setattr(sizing, "_said", lambda path: "")
    assert workers_within(available_memory() // 2, 64) == 2


@pytest.mark.parametrize(
    ("files", "memory", "allowed"),
    [
        ({"memory.max": "max\n", "memory.current": "5\n", "cpu.max": "max 100000\n"}, 8_000_000_000, 64),
        ({"memory.max": "3000000000\n", "memory.current": "2500000000\n", "cpu.max": "250000 100000\n"}, 1_700_000_000, 3),
        ({"memory.max": "1000\n", "memory.current": "900000000000\n", "cpu.max": "1000 100000"}, 0, 1),
        ({"memory.max": "nonsense", "memory.current": "", "cpu.max": "0 0"}, 8_000_000_000, 64),
        ({}, 8_000_000_000, 64),
    ],
)
def test_a_container_allows_less_than_its_machine(
    files: dict[str, str], memory: int, allowed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {**files, "memory.stat": "anon 1\ninactive_file 700000000\nactive_file 500000000\n"}.items():
        (tmp_path / name).write_text(text)
    said = {"/proc/meminfo": "MemTotal: 9000000 kB\nMemAvailable:    7812500 kB\n"}
    monkeypatch.setattr(sizing, "_GROUP", tmp_path)
    monkeypatch.setattr(sizing, "_said", lambda path: said.get(str(path)) or (path.read_text() if path.exists() else ""))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    assert (available_memory(), processors()) == (memory, allowed)
