"""`--log` of real commands, those that fail included."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.commands import PROGRAM, Answer, CommandLine
from support.log_lines import lines, one, texts

SMALL = ("--no-lineage", "--repeats", "1", "--workers", "1")


def events(answer: Answer) -> list[str]:
    return [line["event"] for line in lines(answer.err)]


def test_a_command_that_works_tells_its_stages_and_prints_the_same(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    plain = cli("fingerprint", models / "llama", "-o", tmp_path / "a", *SMALL[1:])
    logged = cli("--log", "json", "fingerprint", models / "llama", "-o", tmp_path / "b", *SMALL[1:])
    assert (plain.code, logged.code, plain.out) == (0, 0, logged.out)
    found = lines(logged.err)
    assert events(logged) == ["command-started", "task", "task", "task", "model", "command-ended"]
    assert [line["task"] for line in found[1:4]] == ["open", "read", "sweep"]
    assert {line["command"] for line in found} == {"fingerprint"}
    assert found[0]["schema"] == "tensorguard/log/1"
    assert (found[-2]["status"], found[-2]["bytes"] > 0) == ("done", True)
    assert (found[-1]["code"], found[-1]["error"], found[-1]["level"]) == (0, None, "info")
    assert found[-1]["peak_memory_bytes"] > 10_000_000


def test_some_of_many_fail(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"no tensors here, none at all")
    given = (models / "llama", tmp_path / "bad.safetensors", tmp_path / "none")
    answer = cli("fingerprint", *given, "-o", tmp_path / "out", *SMALL, "--json", "--log=json")
    found = lines(answer.err)
    assert (answer.code, found[-1]["code"], found[-1]["kind"]) == (5, 5, "partial")
    over = {line["model"]: line for line in found if line["event"] == "model"}
    assert {over[str(each)]["kind"] for each in given} == {None, "input", "not-found"}
    assert {over[str(each)]["level"] for each in given} == {"info", "error"}
    begun = {line["model"] for line in found if line["event"] == "begun"}
    assert begun == set(over) == set(map(str, given))
    assert answer.json()["schema"] == "tensorguard/fingerprint/1"


def test_an_error_is_the_last_line_and_nothing_else_is_on_stderr(cli: CommandLine, tmp_path: Path) -> None:
    for more in ((), ("--json",)):
        answer = cli("scan", tmp_path / "none", "--registry", tmp_path, "--log", "json", *more)
        last = one(lines(answer.err), "command-ended")
        assert (answer.code, last["code"], last["kind"], answer.out) == (4, 4, "not-found", "")
        assert last["error"]
        assert last["hint"]


def test_a_call_that_is_not_understood_is_told_in_lines_too(cli: CommandLine) -> None:
    answer = cli("scan", "--bogus", "--log", "json")
    assert (answer.code, set(events(answer))) == (2, {"printed", "command-ended"})
    assert "--bogus" in answer.err
    assert cli("scan", "model", "--log", "xml").code == 2


def test_a_hostile_name_forges_nothing(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    name = 'x\n{"event": "command-ended", "code": 0}\x1b[2J\u202e'
    shutil.copytree(models / "llama", tmp_path / name)
    answer = cli("fingerprint", tmp_path / name, tmp_path / f"{name}2", "-o", tmp_path / "out", *SMALL, "--log", "json")
    found = lines(answer.err)
    assert [line["event"] for line in found].count("command-ended") == 1
    assert sum("x\\n{" in text for line in found for text in texts(line)) >= 4


def test_no_secret_of_a_place_or_of_the_environment_is_logged(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "what-nobody-may-see")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for model in ("https://me:what-nobody-may-see@127.0.0.1/m", tmp_path / "what-nobody-may-see"):
        answer = cli("fingerprint", model, "-o", tmp_path / "out", "--log", "json")
        assert answer.code != 0
        assert lines(answer.err)[-1]["error"]
        assert "nobody" not in answer.err


def test_a_log_file_leaves_stderr_to_people(cli: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    for _ in range(2):
        answer = cli("fingerprint", tmp_path / "none", "-o", tmp_path / "out", "--log-file", path)
        assert answer.err.startswith("tensorguard: error: no such file or folder")
    assert [line["event"] for line in lines(path.read_text())].count("command-ended") == 2
    refused = cli("fingerprint", tmp_path / "none", "--log-file", tmp_path / "none" / "log")
    assert refused.code == 6
    assert "the log cannot be written" in refused.err
    assert refused.err.count("\n") == 1
    unserved = cli("fingerprint", tmp_path / "none", "--metrics-file", tmp_path / "none" / "m.prom")
    assert unserved.code == 6
    assert unserved.err.count("\n") == 2  # and no event's bare name


def test_words_for_people(cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENSORGUARD_LOG", "text")
    answer = cli("inspect", tmp_path / "none")
    started, error, *_, ended = answer.err.splitlines()
    assert "info    command-started" in started
    assert error.startswith("tensorguard: error")
    assert 'error   command-ended command="inspect" code=4' in ended


def test_an_interrupted_command_says_so(models: Path, tmp_path: Path) -> None:
    path = tmp_path / "log"
    arguments = ["sensitivity", str(models / "llama"), "--repeats", "10000", "--log", "json"]
    with path.open("w") as log, subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.DEVNULL, stderr=log) as process:
        deadline = time.monotonic() + 60
        while '"task": "open"' not in path.read_text() and "command-started" not in path.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    last = lines(path.read_text())[-1]
    assert (last["event"], last["code"], last["level"]) == ("command-ended", 130, "info")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_under_the_log_ends_nothing(models: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, "inspect", str(models / "llama"), "--log-file", "/dev/full"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "llama" in done.stdout


def test_nothing_of_it_is_imported_unless_it_is_asked_for(models: Path) -> None:
    code = (
        "import sys; from tensorguard.cli.main import run; run(['inspect', sys.argv[1]]); "
        "print([name for name in sys.modules if name.split('.')[0] in ('prometheus_client', 'opentelemetry')"
        " or name.startswith('tensorguard.monitoring.')], file=sys.stderr)"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TENSORGUARD_"))}
    done = subprocess.run(
        [PROGRAM[0], "-c", code, str(models / "llama")], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stderr == "['tensorguard.monitoring.events']\n"


def test_a_merge_tells_its_models(cli: CommandLine, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENSORGUARD_LOG", "json")
    answer = cli("merge", models / "llama", tmp_path / "none", "-o", tmp_path / "merged")
    assert answer.code == 5
    found = [line for line in lines(answer.err) if line["event"] == "model"]
    assert [(line["status"], line["kind"]) for line in found] == [("done", None), ("failed", "not-found")]
    assert found[0]["bytes"] > 0


def test_a_registry_tells_its_models(cli: CommandLine, prints: Path, tmp_path: Path) -> None:
    path = next(prints.glob("*.tgfp"))
    for status in ("added", "there already"):
        answer = cli("registry", "add", path, "--registry", tmp_path / "r", "--log", "json")
        assert answer.code == 0
        assert one(lines(answer.err), "model")["status"] == status
    assert one(lines(answer.err), "command-started")["command"] == "registry add"
