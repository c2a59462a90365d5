"""`tensorguard adapter`: alone, against an adapter, against a model; every answer against its schema."""

import contextlib
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from support.adapted import write_all
from support.checkpoints import bert, save
from support.commands import CommandLine
from tensorguard.api.registry import add_models
from tensorguard.registry.files import Files
from tensorguard.registry.registry import Registry


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_all(tmp_path_factory.mktemp("adapters"))


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(capsys)


def result(cli: CommandLine, *arguments: object) -> dict[str, Any]:
    answer = cli("adapter", *arguments, "--json")
    assert (answer.code, answer.err) == (0, "")
    found: dict[str, Any] = answer.json()["result"]
    assert sum(found[each] is not None for each in ("pair", "model", "bases")) == 1
    return found


@pytest.mark.parametrize(
    ("other", "verdict", "one_base"),
    [
        ("first", "identical", True),
        ("continued", "derived", True),
        ("seed", "same-start", True),
        ("apart", "independent", True),
        ("elsewhere", "independent", False),
    ],
)
def test_two_adapters(cli: CommandLine, shelf: Path, other: str, verdict: str, one_base: bool) -> None:
    found = result(cli, shelf / "first", shelf / other)["pair"]
    assert found["verdict"] == verdict
    assert (found["layers"]["test"]["log10_p"] < -3) == one_base
    assert len(found["matrices"]) == 42


@pytest.mark.parametrize(
    ("model", "base", "verdict"),
    [
        ("merged", (), "merged"),
        ("merged", ("--base", "one"), "merged"),
        ("one", (), "base"),
        ("one", ("--base", "one"), "base"),
        ("other", (), "not-merged"),
    ],
)
def test_in_a_model(cli: CommandLine, shelf: Path, model: str, base: tuple[str, ...], verdict: str) -> None:
    found = result(cli, shelf / "first", shelf / model, *(shelf / each if each == "one" else each for each in base))["model"]
    assert found["verdict"] == verdict
    if verdict == "merged":
        assert found["low"] <= 1.001
        assert found["high"] >= 0.999
    assert (found["explained"] is None) == (not base)


@pytest.fixture(scope="module")
def known(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("known")
    save(folder / "bert", bert(), "bert")
    with Registry(folder / "registry", create=True) as registry:
        list(add_models(registry, [shelf / "one", shelf / "other", folder / "bert"]))
    return folder / "registry"


def test_the_base_among_known_models(cli: CommandLine, shelf: Path, known: Path, tmp_path: Path) -> None:
    first, second, third = result(cli, shelf / "first", "--registry", known)["bases"]
    assert (first["name"], first["fits"], first["answers"]) == ("one", True, True)
    assert first["strength"] in ("fair", "strong")
    assert (second["name"], second["fits"], second["answers"], second["strength"]) == ("other", True, False, "dimensions")
    assert (third["name"], third["fits"], third["layers"], third["strength"]) == ("bert", False, None, "none")
    shown = cli("adapter", shelf / "first", "--registry", known, "-q")
    said = " ".join(shown.out.split())
    assert "was trained on 'one' or a relative of it" in said
    assert "the next that does not answer has" in said
    assert "Its configuration names 'org/base'." in said
    page = tmp_path / "page.html"
    assert cli("adapter", shelf / "first", "--registry", known, "-q", "-o", f"html={page}").code == 0
    assert "base found" in page.read_text()


def test_dimensions_are_compared_before_any_fingerprint_is_read(
    cli: CommandLine, shelf: Path, known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, real = [], Files.get
    monkeypatch.setattr(Files, "get", lambda files, digest: read.append(digest) or real(files, digest))
    expected = result(cli, shelf / "first", "--registry", known)
    assert len(read) == 2  # not bert's
    old = shutil.copytree(known, tmp_path / "old")
    with contextlib.closing(sqlite3.connect(old / "registry.sqlite")) as connection:
        connection.executescript("DROP TABLE shape; DROP TABLE layout")  # as an earlier version made it
    read.clear()
    assert result(cli, shelf / "first", "--registry", old) == expected
    assert len(read) == 3
    read.clear()
    assert result(cli, shelf / "first", "--registry", old) == expected
    assert len(read) == 2
    with contextlib.closing(sqlite3.connect(old / "registry.sqlite")) as connection:
        connection.execute("UPDATE layout SET places = substr(places, 3)")  # damaged
        connection.commit()
    assert result(cli, shelf / "first", "--registry", old) == expected
    assert cli("registry", "remove", "one", "--registry", known).code == 0
    assert [each["name"] for each in result(cli, shelf / "first", "--registry", known)["bases"]] == ["other", "bert"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("one",), 2, "not an adapter"),
        (("none",), 4, "no such file or folder"),
        (("first", "none"), 4, "no such file or folder"),
        (("first", "apart", "--base", "one"), 2, "a base goes with a whole model"),
        (("first", "--registry", "none"), 4, "there is no registry"),
    ],
)
def test_mistakes(cli: CommandLine, shelf: Path, arguments: tuple[str, ...], code: int, says: str) -> None:
    answer = cli("adapter", *(each if each.startswith("-") else shelf / each for each in arguments), "-q")
    assert answer.code == code
    assert says in answer.err
