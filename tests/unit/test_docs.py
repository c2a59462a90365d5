"""The documentation is true: its examples run, its commands exist, its output is what is printed, its links lead somewhere."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from benchmarks.real_models import MODELS
from support.bad_models import BAD, BASE
from support.checkpoints import bert, llama, save
from support.commands import CommandLine
from support.paper import paper_data
from support.real import real_model
from tensorguard.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])
COMMANDS = typer.main.get_command(app).commands
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"-?[\d,]+(\.\d+)?(e-?\d+)?")
_LARGEST_PICTURE = 250_000


def fenced(page: Path, language: str) -> list[str]:
    return [body for found, body in _FENCE.findall(page.read_text()) if found == language]


def named(page: Path) -> str:
    return page.name


def with_console(pages: list[Path]) -> list[Path]:
    return [page for page in pages if page.parent.name == "docs" and fenced(page, "console")]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(capsys)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the published features, in which the examples' relative paths hold."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "features").symlink_to(paper_data() / "features")
    (tmp_path / "labels.json").symlink_to(paper_data() / "labels.json")
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if fenced(page, "python")], ids=named)
def test_python_runs(page: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tensorguard.api.many.processors", lambda: 1)  # examples have no `if __name__ == "__main__"`
    save(workplace / "models/llama", llama())
    save(workplace / "models/llama-tuned", llama(1))
    save(workplace / "models/bert", bert(), "bert")
    adapter = workplace / "models/llama-lora"
    adapter.mkdir()
    BAD["an adapter without its base"][0](adapter)
    space: dict[str, object] = {}
    for number, body in enumerate(fenced(page, "python"), 1):
        exec(compile(body, f"{page.name}, example {number}", "exec"), space)


def calls(page: Path) -> Iterator[list[str]]:
    """Yield the arguments of every complete call in a page's shell blocks; synopses, with their brackets, are not calls."""
    for language in ("sh", "console"):
        for body in fenced(page, language):
            for line in body.splitlines():
                command = line.removeprefix("$ ")
                if command.startswith("tensorguard ") and not re.search(r"[\[\]|]|\.\.\.", command):
                    yield shlex.split(command, comments=True)[1:]


def parameters(command: Any) -> list[Any]:
    """A command's parameters; a group's are those of its subcommands."""
    below = command.commands.values() if isinstance(command, TyperGroup) else ()
    return [*command.params, *(parameter for each in below for parameter in each.params)]


def mentions(page: Path) -> Iterator[tuple[str, str]]:
    """Yield (command, option) of every option that a page writes behind a command."""
    for command, rest in re.findall(r"\btensorguard (\w+)([^`\n]*)", page.read_text()):
        if command in COMMANDS:
            yield from ((command, option) for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", rest))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_and_options_exist(page: Path) -> None:
    for command, option in mentions(page):
        known = {"--help"}.union(*(parameter.opts for parameter in parameters(COMMANDS[command])))
        assert option in known, f"{command} has no {option}"
    for command, *arguments in calls(page):
        if command in COMMANDS:
            found, rest = COMMANDS[command], list(arguments)
            if isinstance(found, TyperGroup):
                found = found.commands[rest.pop(0)]
            found.make_context(command, rest)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    page = (ROOT / "docs" / f"{name}.md").read_text()
    assert f"tensorguard {name} " in page
    shared = {
        "--help",
        "--quiet",
        "--json",
        "--output",
        "--device",
        "--workers",
        "--skip-nonfinite",
        "--base",
        "--include-size",
        "--log",
        "--log-file",
        "--metrics-port",
        "--metrics-file",
    }
    for parameter in parameters(COMMANDS[name]):
        if parameter.opts[0].startswith("--") and parameter.opts[0] not in shared:
            assert parameter.opts[0] in page, f"{name}.md does not mention {parameter.opts[0]}"


def test_every_page_is_listed() -> None:
    index = (ROOT / "docs/index.md").read_text()
    assert all(f"({page.name})" in index for page in PAGES if page.parent.name == "docs" and page.name != "index.md")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        if target.startswith(("http://", "https://")):
            continue
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found), target
        if found.suffix == ".png":
            assert found.stat().st_size < _LARGEST_PICTURE, target


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", with_console(PAGES), ids=named)
def test_output_is_what_is_printed(page: Path, workplace: Path, cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    text = "".join(fenced(page, "console"))
    for name in sorted(set(re.findall(r"\bmodels/([\w.-]+)", text)) & set(MODELS)):
        (workplace / "models" / name).symlink_to(real_model(name))
    for block in fenced(page, "console"):
        call, *shown = block.splitlines()
        answer = cli(*shlex.split(call)[2:])
        code = int(shown.pop()) if shown[-2:-1] == ["$ echo $?"] else 0
        shown = [line for line in shown if line != "$ echo $?"]
        printed = answer.err if code else answer.out
        assert answer.code == code, call
        assert_alike(shown, printed.splitlines(), call)


def assert_alike(shown: list[str], printed: list[str], call: str) -> None:
    """Compare line by line, spaces apart and numbers up to their last digits; `…` stands for any number of lines."""
    rest = iter(printed)
    skipping = False
    for line in shown:
        if line == "…":
            skipping = True
            continue
        found = next((each for each in rest if not skipping or alike(line, each)), None)
        assert found is not None, f"{call}: {line!r} is not printed"
        assert alike(line, found), f"{call}: the page has {line!r}, printed is {found!r}"
        skipping = False
    assert skipping or not list(rest), f"{call}: the page lacks the end"


def alike(one: str, other: str) -> bool:
    first, second = one.split(), other.split()
    return len(first) == len(second) and all(map(same_word, first, second))


def same_word(one: str, other: str) -> bool:
    if one == other:
        return True
    if not (_NUMBER.fullmatch(one) and _NUMBER.fullmatch(other)):
        return False
    a, b = (float(word.replace(",", "")) for word in (one, other))
    return a == pytest.approx(b, rel=2e-3, abs=1e-8)


def test_bad_models_get_what_the_page_says(workplace: Path, cli: CommandLine) -> None:
    save(workplace / BASE, llama())
    rows = re.findall(r"^\| (.+?) \| (\d+) \| `(.+)` \|$", (ROOT / "docs/errors.md").read_text(), re.MULTILINE)
    assert [words for words, _, _ in rows] == list(BAD)
    for number, (words, code, message) in enumerate(rows):
        folder = workplace / str(number)
        folder.mkdir()
        make, on_base = BAD[words]
        answer = cli("fingerprint", make(folder), *(["--base", BASE] if on_base else []), "-o", "out")
        assert (answer.code, answer.out) == (int(code), "")
        assert answer.err.startswith(f"tensorguard: error: {message} in "), answer.err
        assert not list(Path("out").iterdir())
