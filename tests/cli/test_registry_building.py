"""`registry build` over repositories of a hub: what is there is not asked for again, what is missing is listed with the reason."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import hub_server
from support.commands import CommandLine
from support.hub_server import Hub, serving
from tensorguard.api import building
from tensorguard.sources import hub as hubs
from tensorguard.sources import pacing, retries


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr(retries, "sleep", waits.append)
    monkeypatch.setattr(pacing, "sleep", waits.append)
    return waits


@pytest.fixture
def hub(models: Path, tmp_path: Path, slept: list[float], monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TENSORGUARD_ALLOW_PRIVATE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    hubs._listed.cache_clear()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"\xff" * 100)
    folders = {f"org/{name}": models / name for name in ("llama", "vicuna", "gpt2", "alpaca")}
    with serving({**folders, "org/broken": tmp_path / "broken"}) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


def names(path: Path, *models: str) -> Path:
    path.write_text("# ours\n\n" + "".join(f"{model}\n" for model in models))
    return path


def build(cli: CommandLine, hub: Hub, listed: Path, *more: object) -> tuple[int, dict[str, str], list[str]]:
    """Return the exit code, what became of each model, and which repositories the hub was asked for."""
    hubs._listed.cache_clear()
    hub.requests.clear()
    answer = cli(
        "registry", "build", listed, "--registry", listed.parent / "known", "--remote", "--rate", 1000, "--json", *more
    )
    asked = {"/".join(request.path.split("/")[3:5]) for request in hub.of("hub") if "/api/" in request.path}
    return answer.code, {each["given"]: each["status"] for each in answer.json()["result"]}, sorted(asked)


def test_what_is_missing_is_told_and_what_is_there_is_not_asked_for(hub: Hub, cli: CommandLine, tmp_path: Path) -> None:
    listed = names(tmp_path / "models.txt", "org/llama", "org/none", "org/broken", f"{hub.url}/org/gpt2/tree/v1")
    code, first, asked = build(cli, hub, listed)
    assert code == 5
    assert first == {
        "org/llama": "added", "org/none": "not at hand", "org/broken": "failed", "org/gpt2": "added"
    }  # fmt: skip
    assert list(first) == ["org/llama", "org/none", "org/broken", "org/gpt2"]
    assert len(asked) == 4
    code, again, asked = build(cli, hub, listed)
    assert (code, set(again.values())) == (5, {"there already", "not at hand", "failed"})
    assert asked == ["org/broken", "org/gpt2", "org/none"]  # a tag may have moved
    assert not [request for request in hub.of("hub") if "gpt2/resolve" in request.path]  # but it has not
    shown = cli("registry", "build", listed, "--registry", tmp_path / "known", "--remote", "--rate", 1000)
    assert shown.code == 5
    assert "Why models are missing" in shown.out
    assert "not there, or not for everybody" in " ".join(shown.out.split())
    assert "2 of 4 models are not in the registry" in shown.err


def test_updates_are_asked_for(
    hub: Hub, cli: CommandLine, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = names(tmp_path / "models.txt", "org/llama", "org/vicuna")
    build(cli, hub, listed)
    assert build(cli, hub, listed, "--update") == (
        0,
        dict.fromkeys(("org/llama", "org/vicuna"), "there already"),
        ["org/llama", "org/vicuna"],
    )
    assert hub.bytes_sent() == 0
    hub.repositories["org/vicuna"] = models / "alpaca"
    monkeypatch.setattr(hub_server, "COMMIT", "f" * 40)
    assert build(cli, hub, listed)[2] == []
    code, found, _ = build(cli, hub, listed, "--update")
    assert (code, found["org/vicuna"]) == (0, "replaced")
    assert "f" * 40 in cli("registry", "show", "org/vicuna", "--registry", tmp_path / "known").out


def test_an_interruption_keeps_what_is_done(
    hub: Hub, cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed, done, real = names(tmp_path / "models.txt", "org/llama", "org/vicuna", "org/gpt2"), [], building.add_model

    def interrupted(*arguments: object) -> object:
        if done:
            raise KeyboardInterrupt
        done.append(1)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(building, "add_model", interrupted)
    answer = cli(
        "registry", "build", listed, "--registry", tmp_path / "known", "--remote", "--rate", 1000, "--jobs", 1, "--json"
    )
    assert answer.code == 130
    assert [each["status"] for each in answer.json()["result"]] == ["added"]
    assert "Interrupted after 1 of 3 models" in answer.json()["notices"][0]
    monkeypatch.setattr(building, "add_model", real)
    code, found, asked = build(cli, hub, listed)
    assert (code, list(found.values()), asked) == (0, ["there already", "added", "added"], ["org/gpt2", "org/vicuna"])


def test_the_same_whatever_the_number_of_jobs(hub: Hub, cli: CommandLine, tmp_path: Path) -> None:
    entries = []
    for jobs in (1, 4):
        (tmp_path / str(jobs)).mkdir()
        listed = names(tmp_path / str(jobs) / "models.txt", "org/llama", "org/gpt2")
        assert build(cli, hub, listed, "--jobs", jobs)[0] == 0
        shown = cli("registry", "list", "--registry", listed.parent / "known", "--json").json()["result"]
        entries.append([(each["name"], each["fingerprint"]) for each in shown])
    assert entries[0] == entries[1]
    assert len(entries[0]) == 2


def test_a_busy_hub_is_left_alone_as_long_as_it_asks(hub: Hub, cli: CommandLine, tmp_path: Path, slept: list[float]) -> None:
    hub.trouble.busy, hub.trouble.retry_after = 2, "300"
    listed = names(tmp_path / "models.txt", "org/llama", "org/vicuna")
    assert build(cli, hub, listed)[0] == 0
    assert sum(wait >= 299 for wait in slept) >= 2
    hub.trouble.busy, hub.trouble.retry_after = 9, "1000"
    code, found, _ = build(cli, hub, names(tmp_path / "models.txt", "org/llama", "org/gpt2"))
    assert (code, found) == (5, {"org/llama": "there already", "org/gpt2": "not at hand"})


def test_gated_models_are_named_so(hub: Hub, cli: CommandLine, tmp_path: Path) -> None:
    hub.trouble.gated = True
    answer = cli(
        "registry", "build", names(tmp_path / "m.txt", "org/llama", "org/gpt2"), "--remote", "--registry", tmp_path / "known"
    )
    assert answer.code == 4
    assert "gated" in answer.out
    assert "HF_TOKEN" in answer.out


@pytest.mark.parametrize(
    "line", ["org/name/file.gguf", "org/../name", "org/name extra", "https://elsewhere.example/org/name", "org/llama@v1"]
)
def test_lists_that_make_no_sense(cli: CommandLine, tmp_path: Path, line: str) -> None:
    answer = cli("registry", "build", names(tmp_path / "m.txt", "org/llama", line), "--registry", tmp_path / "known")
    assert answer.code == 3
    assert "line 4 of the catalogue names" in answer.err


def test_a_folder_to_search_that_is_not_there_is_told(cli: CommandLine, tmp_path: Path) -> None:
    answer = cli("registry", "build", names(tmp_path / "models.txt", "org/llama"), "--search", tmp_path / "none")
    assert (answer.code, answer.out) == (4, "")
    assert "no such folder" in answer.err


def test_results_come_as_they_are_ready_and_so_many_at_a_time() -> None:
    from tensorguard.api.side_by_side import Stopped, side_by_side

    busy, most, lock, gate = 0, 0, threading.Lock(), threading.Event()

    def work(item: int, listener: object) -> int:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        if item == 0:
            assert gate.wait(10)
        if item == 3:
            gate.set()
        with lock:
            busy -= 1
        return item

    found = list(side_by_side(work, range(8), 3))
    assert sorted(found) == list(range(8))
    assert found.index(0) > found.index(3) - 1
    assert most <= 3
    stopped = []

    def endless(item: int, listener: pacing.Pace) -> None:
        if item == 1:
            raise ValueError
        try:
            while True:
                listener.advance("", 1)  # type: ignore[attr-defined]
        except Stopped:
            stopped.append(item)

    with pytest.raises(ValueError, match=r"^$"):
        list(side_by_side(endless, [0, 1], 2))  # type: ignore[arg-type]
    assert stopped == [0]


def test_requests_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waits = [100.0], list[float]()
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def sleep(seconds: float) -> None:
        waits.append(round(seconds, 6))
        now[0] += seconds

    monkeypatch.setattr(
        pacing, "sleep", lambda seconds: (waits.append(round(seconds, 6)), now.__setitem__(0, now[0] + seconds))
    )
    pace = pacing.Pace()
    pace.turn()
    pace.busy(50)
    with pace.of(rate=4, patience=900):
        for _ in range(3):
            pace.turn()
        pace.busy(10)
        pace.turn()
        assert pace.patience == 900
    pace.turn()
    assert waits == [0.25, 0.25, 10]
    assert pace.patience == pacing.PATIENCE
