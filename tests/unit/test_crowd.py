"""What a terminal shows of many models."""

import pytest

from tensorguard.cli import crowd
from tensorguard.cli.crowd import Crowd


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(crowd.time, "monotonic", lambda: now[0])
    return now


def test_it_tells_how_far_how_fast_and_what_is_under_way(clock: list[float]) -> None:
    shown = Crowd()
    shown.event("models", {"total": 5, "bytes": 50_000_000_000, "workers": 2})
    for name, size in (("a", 20_000_000_000), ("b\x1b[31m", 15_000_000_000)):
        shown.event("begun", {"model": name, "size": size})
    clock[0] += 10
    shown.event("model", {"model": "a", "status": "done", "bytes": 20_000_000_000, "seconds": 10.0, "error": None})
    shown.event("begun", {"model": "c", "size": 5_000_000_000})
    shown.event("model", {"model": "c", "status": "finished before", "bytes": 0})
    shown.event("begun", {"model": "d", "size": 5_000_000_000})
    clock[0] += 10
    first, *rest = shown.lines()
    assert first == "2 of 5 models · 1 done · 1 finished before · 1.00 GB/s · 0:00:20 since the start · about 0:00:25 left"
    assert rest == ["  0:00:20    15.00 GB b\\x1b[31m", "  0:00:10     5.00 GB d"]


def test_without_sizes_it_counts_models(clock: list[float]) -> None:
    shown = Crowd()
    shown.event("models", {"total": 30, "bytes": 0})
    for number in range(20):
        shown.event("begun", {"model": f"{number}", "size": 0})
    clock[0] += 60
    shown.event("model", {"model": "0", "status": "failed", "bytes": 0, "error": "why"})
    first, *rest = shown.lines()
    assert "1 of 30 models · 1 failed" in first
    assert "about 0:29:00 left" in first
    assert rest[-1] == "  and 11 more under way"
