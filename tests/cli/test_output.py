"""What goes to stdout, to stderr and to files; help, versions, narrow terminals, interrupts."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.adapters import write_adapter
from support.commands import PROGRAM, CommandLine, check, program

COMMANDS = ("fingerprint", "compare", "tree", "parents", "cluster", "classify", "sensitivity", "merge", "inspect")


@pytest.fixture(scope="module")
def few(fingerprints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fingerprints of three models."""
    folder = tmp_path_factory.mktemp("few")
    for name in ("bert", "llama", "vicuna"):
        for end in (".tgfp", "_features.json"):
            shutil.copy(fingerprints / f"{name}{end}", folder)
    return folder


def test_every_form_of_report(cli: CommandLine, few: Path, tmp_path: Path) -> None:
    forms = ("table", "json", "html", "png", "svg")
    answer = cli("compare", few, *(word for form in forms for word in ("-o", f"{form}={tmp_path / f'r.{form}'}")))
    assert (answer.code, answer.out, answer.err) == (0, "", "")
    more = ["r-distances.png", "r-distances.svg"]  # pictures after the first
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*more, *(f"r.{form}" for form in forms)])
    check(json.loads((tmp_path / "r.json").read_bytes()))
    assert (tmp_path / "r.html").read_bytes().startswith(b"<!doctype html>")
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "r.svg").read_bytes().startswith(b"<svg")
    assert "nearest neighbour" in " ".join((tmp_path / "r.table").read_text().split())
    printed = cli("compare", few, "-o", "json").out
    assert printed == cli("compare", few, "--json").out == (tmp_path / "r.json").read_text()


@pytest.mark.parametrize(
    "reports",
    [["-o", "json", "-o", "table"], ["--json", "-o", "html"], ["-o", "png"], ["-o", "pdf=x"], ["-o", "svg="], ["-o", ""]],
)
def test_reports_that_cannot_be_made(cli: CommandLine, few: Path, reports: list[str]) -> None:
    answer = cli("compare", few, *reports)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(("tensorguard: error:", '{"error"'))


def test_a_picture_of_what_has_none_writes_nothing(cli: CommandLine, tmp_path: Path) -> None:
    adapter, out = write_adapter(tmp_path / "adapter"), tmp_path / "out"
    out.mkdir()
    assert cli("inspect", adapter, "-o", f"json={out / 'r.json'}", "-o", f"png={out / 'r.png'}").code == 2
    assert list(out.iterdir()) == []


def test_an_unknown_form_is_refused_before_any_work(cli: CommandLine, tmp_path: Path) -> None:
    answer = cli("compare", tmp_path / "none", tmp_path / "none either", "-o", "pdf=x")
    assert answer.code == 2, "not 4: the models were not even looked for"


def test_reports_that_cannot_be_written(cli: CommandLine, few: Path, tmp_path: Path) -> None:
    for form in ("json", "html", "png", "table"):
        answer = cli("compare", few, "-o", f"{form}={tmp_path / 'none' / 'r'}")
        assert (answer.code, answer.out) == (6, "")
        assert answer.err.startswith("tensorguard: error: cannot be written")


def test_equal_input_gives_equal_bytes(cli: CommandLine, models: Path, few: Path, tmp_path: Path) -> None:
    commands = (
        ["compare", few],
        ["cluster", few, "--bases", "llama,bert"],
        ["inspect", models / "bert"],
        ["sensitivity", models / "gpt2", "--repeats", "2", "--workers", "2"],
    )
    printed = {}
    for command in commands:
        texts = []
        for name in "ab":
            page = tmp_path / f"{name}.html"
            texts.append((cli(*command, "--json", "-o", f"html={page}").out, page.read_bytes()))
        assert texts[0] == texts[1]
        assert not re.search(r"20\d\d-\d\d-\d\d|\d\d:\d\d:\d\d", texts[0][0]), "no clock"
        printed[command[0]] = json.dumps(json.loads(texts[0][0]))
    assert str(Path.home()) not in printed["compare"]
    assert str(few) not in printed["compare"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_examples(cli: CommandLine, command: str) -> None:
    answer = cli(command, "--help")
    assert answer.code == 0
    assert f"tensorguard {command} " in answer.out.replace("Usage: tensorguard", "")
    assert not re.search(r" \. |the  extra", " ".join(answer.out.replace("│", " ").split())), "markup ate a part of it"


def test_help_of_the_whole_names_every_command(cli: CommandLine) -> None:
    answer = cli("--help")
    assert answer.code == 0
    assert all(command in answer.out for command in COMMANDS)


def test_version(cli: CommandLine) -> None:
    from tensorguard import __version__

    assert cli("--version").out == f"tensorguard {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [[], ["nothing"], ["fingerprint"], ["compare", "--nothing"], ["sensitivity", "x", "--top", "y"]]
)
def test_wrong_usage(cli: CommandLine, arguments: list[str]) -> None:
    assert cli(*arguments).code == 2


@pytest.mark.parametrize("width", [60, 80, 200])
def test_tables_fit_the_terminal_and_lose_no_column(
    cli: CommandLine, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    answer = cli("fingerprint", models / "bert", "-o", tmp_path)
    assert max(map(len, answer.out.splitlines())) <= width
    headings = set(re.findall(r"[a-z]+", answer.out))
    assert {"mean", "std", "norm", "skewness", "kurtosis", "gain", "shape", "category"} <= headings
    assert answer.out.count("encoder") == 0
    assert len(re.findall(r"^ +\d+ +\S+ +(?:attention|ffn) ", answer.out, re.MULTILINE)) == 6


def test_no_colours_where_none_are_wanted(models: Path, tmp_path: Path) -> None:
    for environment in ({"NO_COLOR": "1", "FORCE_COLOR": ""}, {}):
        answer = program("inspect", models / "llama", **environment)
        assert (answer.code, answer.err) == (0, "")
        assert "\x1b" not in answer.out
    answer = program("inspect", tmp_path / "none")
    assert (answer.code, answer.out) == (4, "")
    assert answer.err.startswith("tensorguard: error: no such file or folder in ")


def test_a_closed_pipe_is_no_error(few: Path) -> None:
    with subprocess.Popen([*PROGRAM, "compare", str(few), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize("count", [1, 2], ids=["threads", "processes"])
def test_an_interrupt_ends_it_quietly_and_leaves_nothing_half_written(models: Path, tmp_path: Path, count: int) -> None:
    """Ctrl-C goes to the whole process group, worker processes included."""
    out = tmp_path / "out"
    chosen = [str(models / name) for name in ("llama", "gpt2")[:count]]
    command = [*PROGRAM, "fingerprint", *chosen, "-o", str(out), "--repeats", "10000", "--layers", "all", "--workers", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        wait_for(out)
        time.sleep(1.5)
        assert process.poll() is None, "too fast to be interrupted"
        signal_group(process.pid)
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, b"")
    assert b"Traceback" not in stderr
    assert list(out.iterdir()) == []


def wait_for(path: Path) -> None:
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never came")


def signal_group(leader: int) -> None:
    os.killpg(leader, signal.SIGINT)
