"""`tensorguard doctor`: quick here, since what is measured is not looked at."""

import os
from pathlib import Path

import pytest

from support.commands import CommandLine
from support.hub_server import Hub
from tensorguard.api import doctor


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "SECONDS", 0.15)
    monkeypatch.setattr("tensorguard.diagnosis.disk._MADE", 2**20)
    monkeypatch.setattr("tensorguard.diagnosis.work._HELD", 2**23)
    monkeypatch.setenv("TENSORGUARD_REGISTRY", str(tmp_path / "none"))


def test_a_folder(cli: CommandLine, tmp_path: Path) -> None:
    answer = cli("doctor", tmp_path)
    assert answer.code == 0, answer.err
    for words in (
        "What it says",
        "A full fingerprint",
        "What the processors do",
        "Reading files",
        "This machine",
        "--device auto",
    ):
        assert words in answer.out
    assert not list(tmp_path.iterdir())


def test_a_model_is_forecast_for_and_everything_is_in_the_json(cli: CommandLine, models: Path) -> None:
    answer = cli("doctor", models / "llama", "--json")
    result = answer.result()
    assert [each["model"] for each in result["forecasts"]] == ["llama", "1 B", "8 B", "70 B"]
    assert result["disk"]["file"].endswith("llama/model.safetensors") or result["disk"]["notice"] or not result["disk"]["file"]
    assert result["hub"] is None
    assert result["stores"][0]["exists"] is False
    assert answer.json()["inputs"] == [{"model": str(models / "llama")}]


def test_the_hub_is_asked_only_if_wanted(cli: CommandLine, hub: Hub, tmp_path: Path) -> None:
    assert cli("doctor", tmp_path, "--json").result()["hub"] is None
    assert not hub.requests
    reached = cli("doctor", tmp_path, "--hub", "--json").result()["hub"]
    assert (reached["endpoint"], reached["error"]) == (hub.url, "")
    assert len(hub.requests) == 2
    assert all("authorization" not in {name.lower() for name in each.headers} for each in hub.requests)


def test_a_hub_that_is_not_there_is_said(cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    answer = cli("doctor", tmp_path, "--hub")
    assert answer.code == 0
    assert "none: " in answer.words()


def test_what_is_not_there(cli: CommandLine, tmp_path: Path) -> None:
    answer = cli("doctor", tmp_path / "none")
    assert (answer.code, answer.out) == (4, "")
    assert "no such folder or file" in answer.err
    os.mkfifo(tmp_path / "pipe")
    assert cli("doctor", tmp_path / "pipe").code == 3


def test_a_page(cli: CommandLine, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert cli("doctor", tmp_path, "-o", f"html={page}").code == 0
    assert "What this machine can do" in page.read_text()


def test_auto_is_decided_and_said(cli: CommandLine, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorguard.diagnosis import card

    card.choose.cache_clear()
    monkeypatch.setattr(card, "driver", lambda: False)
    answer = cli("fingerprint", models / "bert", "-o", tmp_path, "--device", "auto", "--json")
    assert answer.json()["settings"]["device"] == "cpu"
    assert answer.err == "--device auto: cpu, because there is no driver of a card\n"
