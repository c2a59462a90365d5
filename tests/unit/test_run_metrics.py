"""Metrics of long runs: what is counted, by which labels, where it goes."""

import urllib.request
from pathlib import Path

import pytest

from support.commands import CommandLine
from support.metrics import Series, parsed, value
from tensorguard.errors import InputError, ResourceError
from tensorguard.monitoring import exposition
from tensorguard.monitoring.exposition import Metrics, MetricsFile, on_port
from tensorguard.monitoring.file_listener import Refreshing
from tensorguard.monitoring.run_metrics import RunMetrics
from tensorguard.progress import tell_over


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def now(metrics: Metrics) -> Series:
    return parsed(metrics.text().decode())


def test_a_run_is_counted_from_its_events(metrics: Metrics) -> None:
    run = RunMetrics(metrics)
    before = now(metrics)
    assert (value(before, "tensorguard_run_exit_code"), value(before, "tensorguard_run_end_time_seconds")) == (-1, 0)
    assert value(before, "tensorguard_models_total", status="failed") == 0
    run.start("models", 3, "models")
    run.event("models", total=3, bytes=600, workers=2)
    for name in ("a", "b"):
        run.event("begun", model=name, size=100)
    run.event("begun", model="b", size=100)  # its worker was lost: it is tried again
    run.event("model", model="a", status="done", seconds=0.2, bytes=100, error=None)
    run.advance("models", 1)
    half = now(metrics)
    assert value(half, "tensorguard_models_in_flight") == 1
    assert value(half, "tensorguard_models_left") == 2
    assert (value(half, "tensorguard_workers"), value(half, "tensorguard_planned_bytes")) == (2, 600)
    tell_over(run, "b", "failed", 0.0, InputError("broken"))
    run.event("model", model="c", status="finished before", seconds=0.01, bytes=0)
    run.advance("models", 2)
    run.finish("models")
    run.ended(5)
    after = now(metrics)
    assert value(after, "tensorguard_models_total", status="done") == 1
    assert value(after, "tensorguard_models_total", status="finished before") == 1
    assert value(after, "tensorguard_model_failures_total", kind="input") == 1
    assert value(after, "tensorguard_model_bytes_total") == 100
    assert value(after, "tensorguard_model_seconds_count") == 3
    assert value(after, "tensorguard_model_seconds_bucket", le="0.1") == 1
    assert value(after, "tensorguard_models_in_flight") == value(after, "tensorguard_models_left") == 0
    assert value(after, "tensorguard_work_done_total", task="models", unit="models") == 3
    assert value(after, "tensorguard_run_exit_code") == 5
    assert value(after, "tensorguard_run_end_time_seconds") >= value(after, "tensorguard_run_start_time_seconds")
    assert value(after, "tensorguard_process_resident_memory_bytes") > 10_000_000
    assert value(after, "tensorguard_read_bytes_total") > 0


def test_no_text_of_an_event_becomes_a_label(metrics: Metrics) -> None:
    run = RunMetrics(metrics)
    counts = set()
    for number in range(20):
        evil = f'{number}"}}\n\\x\x00\u202e'
        run.start(evil, 1, evil)
        run.advance(evil, 1)
        run.finish(evil)
        run.event(evil, model=evil)
        run.event("begun", model=evil)
        run.event("model", model=evil, status=evil, kind=evil, seconds=None, bytes=None)
        run.event("model", model=evil, status="failed", kind=evil, seconds=-1.0, bytes="x")
        counts.add(len(now(metrics)))
        assert "x00" not in metrics.text().decode()
    assert len(counts) == 1


def test_the_file_is_replaced_as_a_whole_and_kept_up(tmp_path: Path) -> None:
    clock, path = [100.0], tmp_path / "nightly.prom"
    metrics = Metrics({"command": "merge", "run": "nightly"})
    run = RunMetrics(metrics)
    file = MetricsFile(metrics, path, lambda: clock[0])
    file.write()
    listener = Refreshing(file)
    run.start("x", 10, "bytes")
    listener.start("x", 10, "bytes")
    assert "tensorguard_work_asked_total" not in {name for name, _ in parsed(path.read_text())}
    clock[0] += exposition.INTERVAL
    run.advance("x", 5)
    listener.advance("x", 5)
    done = value(
        parsed(path.read_text()), "tensorguard_work_done_total", command="merge", run="nightly", task="other", unit="bytes"
    )
    assert done == 5
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    path.unlink()
    path.mkdir()  # now it cannot be replaced: the run goes on
    file.refresh(now=True)
    with pytest.raises(ResourceError):
        file.write()


def test_the_port_serves_them_to_this_machine(metrics: Metrics) -> None:
    with on_port(metrics, "127.0.0.1", 0) as address:
        assert address.startswith("http://127.0.0.1:")
        for question in ("", "?name[]=tensorguard_workers", "?name[]=%0a"):
            with urllib.request.urlopen(address + question, timeout=20) as answer:
                assert "tensorguard_cpu_seconds_total" in {name for name, _ in parsed(answer.read().decode())}
        port = int(address.removesuffix("/metrics").rpartition(":")[2])
        with pytest.raises(ResourceError, match="cannot serve metrics"), on_port(metrics, "127.0.0.1", port):
            pass
    with on_port(metrics, "127.0.0.1", port):  # it was let go
        pass


def test_commands_write_them(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    cli, path = CommandLine(capsys), tmp_path / "a.prom"
    assert cli("fingerprint", tmp_path / "none", "-o", tmp_path / "o", "--metrics-file", path, "--metrics-port", "0").code == 4
    series = parsed(path.read_text())
    labels = {"command": "fingerprint", "run": "a"}
    assert value(series, "tensorguard_run_exit_code", **labels) == 4
    assert value(series, "tensorguard_model_failures_total", kind="not-found", **labels) == 1
    for wrong in ("x", "70000", "host:"):
        assert cli("merge", tmp_path / "none", "-o", tmp_path / "m", "--metrics-port", wrong).code == 2
    assert cli("merge", tmp_path / "none", "-o", tmp_path / "m", "--metrics-file", tmp_path / "no" / "a.prom").code == 6
    assert not (tmp_path / "m").exists()


def test_without_its_library_it_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    answer = CommandLine(capsys)("merge", tmp_path / "none", "-o", tmp_path / "m", "--metrics-port", "0")
    assert answer.code == 6
    assert "tensorguard-llm[metrics]" in answer.err
