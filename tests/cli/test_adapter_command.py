"""`tensorguard adapter`: alone, against an adapter, against a model; every answer against its schema."""

from pathlib import Path
from typing import Any

import pytest

from support.adapted import write_all
from support.commands import CommandLine


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


def test_the_base_among_known_models(cli: CommandLine, shelf: Path, tmp_path: Path) -> None:
    from support.checkpoints import bert, save

    save(tmp_path / "bert", bert(), "bert")
    known = tmp_path / "known"
    assert cli("registry", "add", shelf / "one", shelf / "other", tmp_path / "bert", "--registry", known, "-q").code == 0
    first, second, third = result(cli, shelf / "first", "--registry", known)["bases"]
    assert (first["name"], first["fits"], first["answers"]) == ("one", True, True)
    assert (second["name"], second["fits"], second["answers"]) == ("other", True, False)
    assert (third["name"], third["fits"], third["layers"]) == ("bert", False, None)
    shown = cli("adapter", shelf / "first", "--registry", known, "-q")
    assert "was trained on 'one' or a relative of it" in " ".join(shown.out.split())
    assert "'org/base'" in shown.out
    page = tmp_path / "page.html"
    assert cli("adapter", shelf / "first", "--registry", known, "-q", "-o", f"html={page}").code == 0
    assert "base found" in page.read_text()


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
