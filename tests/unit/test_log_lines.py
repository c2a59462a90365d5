"""Lines of a log: safe to show whatever was logged, and without secrets."""

import io
import json
import logging
import math
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.log_lines import lines, one
from tensorguard.monitoring import log_listener, redaction
from tensorguard.monitoring.events import FIELDS, tell
from tensorguard.monitoring.formats import Record
from tensorguard.monitoring.log_listener import LogListener
from tensorguard.monitoring.logs import Log
from tensorguard.monitoring.redaction import HIDDEN, LONGEST, Redaction

ROOT = Path(__file__).parents[2]


@pytest.fixture
def logged(tmp_path: Path) -> Callable[[Callable[[], object]], str]:
    """What a log holds after something was done."""

    def run(action: Callable[[], object], form: str = "json") -> str:
        path = tmp_path / "log"
        path.unlink(missing_ok=True)
        with Log(form, path).kept():  # type: ignore[arg-type]
            action()
        return path.read_text()

    return run


SECRETS = [
    "https://user:hunter22@host/path/file",
    "https://host/path?X-Amz-Signature=0123456789abcdef&x=1",
    "http://127.0.0.1:8765/#token=0123456789abcdef",
    "Authorization: Bearer 0123456789abcdef",
    "authorization=Basic MDEyMzQ1Njc4OWFiY2RlZg==",
    "hf_0123456789abcdefABCDEF",
    "AKIA0123456789ABCDEF",
    "aws_secret_access_key = 0123456789abcdef",
    '{"token": "0123456789abcdef"}',
    "the value of-the-environment comes here",
]


@pytest.mark.parametrize("text", SECRETS)
def test_no_secret_is_shown(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_TOKEN", "of-the-environment")
    shown = Redaction().safe(f"before {text} after")
    assert HIDDEN in shown
    assert shown.startswith("before ")
    assert "after" in shown
    for secret in ("hunter22", "0123456789", "MDEyMzQ1", "of-the-environment"):
        assert secret not in shown


@pytest.mark.parametrize(
    "text", ["s3://bucket/models/llama", "https://host:8080/a/b", "org/name@main", "a token of 12 letters", "/data/x"]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redaction().safe(text) == text


def test_what_it_was_told_to_hide_is_hidden() -> None:
    knowing = Redaction()
    knowing.hide("sesame")
    knowing.hide("")
    assert knowing.safe("open sesame!") == f"open {HIDDEN}!"


LONG = (
    "a",
    "token",
    "a://",
    "a.b-",
    "token ",
    "https://a@",
    "hf_",
    "sk--",
    "x=token:",
    "\x00",
    "-token_",
    "bearer  ",
    "AKIA",
    "'\"=",
)


@pytest.mark.parametrize("part", LONG)
def test_a_long_text_is_looked_through_once(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_LOOKED_AT", 1_000_000)
    shown = Redaction().safe(part * (400_000 // len(part)))  # a pattern that tries again and again would take hours
    assert shown.isprintable()
    assert len(shown) <= LONGEST + 1


@given(st.text())
def test_any_text_becomes_one_line_that_can_be_printed(text: str) -> None:
    shown = Redaction().safe(text)
    assert shown.isprintable()
    assert len(shown) <= LONGEST + 1


def test_no_text_forges_a_line(logged: Callable[..., str]) -> None:
    evil = 'x"}\n{"time": "2026-01-01T00:00:00.000Z", "level": "info"}\r\x1b[2J\u2028\u202e\udcff' + "y" * 5_000
    found = lines(logged(lambda: tell("model", model=evil, status="done", seconds=1.5, bytes=math.inf)))
    assert len(found) == 1 == logged(lambda: tell("model", model=evil), "text").count("\n")
    assert (found[0]["seconds"], found[0]["bytes"]) == (1.5, None)
    assert found[0]["model"].startswith('x"}\\n{"time"')


def test_libraries_and_warnings_are_lines(logged: Callable[..., str]) -> None:
    def act() -> None:
        logging.getLogger("some.library").warning("careful: %s", "it\nbroke")
        logging.getLogger("some.library").info("not worth a line")
        warnings.warn("deprecated", stacklevel=1)
        try:
            raise ValueError("inside")
        except ValueError:
            logging.getLogger("some.library").exception("failed")

    found = lines(logged(act))
    assert [line["event"] for line in found] == ["library"] * 3
    assert found[0]["message"] == "careful: it\\nbroke"
    assert (found[1]["logger"], "deprecated" in found[1]["message"]) == ("py.warnings", True)
    assert "ValueError: inside" in found[2]["message"]


def test_a_mistake_in_what_a_library_logs_is_no_fault_here() -> None:
    wrong = logging.LogRecord("some.library", logging.ERROR, "file", 1, "%d models", ("no number",), None)
    assert Record(Redaction()).fields(wrong)["message"] == "%d models"


def test_what_is_printed_on_stderr_is_lines_and_stderr_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with Log("json", None).kept():
        assert not sys.stderr.isatty()
        sys.stderr.write("one")
        sys.stderr.write(" two\n\n\n")
        sys.stderr.write("no end")
    assert sys.stderr is stream
    assert [line["message"] for line in lines(stream.getvalue())] == ["one two", "no end"]
    tell("note", name="over")
    assert "over" not in stream.getvalue()


def test_a_log_that_cannot_be_written_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[str] = []

    class Full(io.StringIO):
        def write(self, text: str) -> int:
            lost.append(text)
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    with Log("json", None).kept():
        tell("note", name="first")
        tell("note", name="second")
    assert [one(lines(text), "note")["name"] for text in lost] == ["first", "second"]


def test_a_file_that_is_moved_away_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with Log("json", path).kept():
        tell("note", name="first")
        path.rename(tmp_path / "log.1")
        tell("note", name="second")
    assert one(lines(path.read_text()), "note")["name"] == "second"
    assert one(lines((tmp_path / "log.1").read_text()), "note")["name"] == "first"


def test_tasks_are_told_when_they_are_over_and_now_and_then(logged: Callable[..., str]) -> None:
    now = [0.0]

    def act() -> None:
        listener = LogListener(lambda: now[0])
        listener.start("sweep", 100, "elements")
        for _ in range(5):
            now[0] += 0.4 * log_listener.HEARTBEAT
            listener.advance("sweep", 10)
        listener.advance("unknown", 1)
        listener.finish("sweep")
        listener.finish("sweep")
        listener.event("begun", model="m", size=3)
        listener.event("something", why="else")

    found = lines(logged(act))
    assert [line["event"] for line in found] == ["progress", "task", "begun", "note"]
    assert (found[0]["done"], found[0]["total"], found[1]["done"], found[1]["seconds"]) == (30, 100, 50, 60.0)
    assert found[3]["facts"] == {"why": "else"}


def test_schema_and_page_have_the_same_events_and_fields() -> None:
    published = json.loads((ROOT / "schema/log-1.json").read_bytes())["$defs"]
    page = (ROOT / "docs/monitoring.md").read_text()
    for event, fields in FIELDS.items():
        assert published[event]["required"] == ["time", "level", "event", "command", *fields]
        assert f"`{event}`" in page
        assert all(f"`{field}`" in page for field in fields)
    assert set(published) == {"time", *FIELDS}
