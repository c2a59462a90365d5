"""The command line, in process and as a program of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tensorguard.cli.main import run

SCHEMAS = Path(__file__).parents[2] / "schema"
PROGRAM = (sys.executable, "-m", "tensorguard")


@dataclass(frozen=True)
class Answer:
    """An exit code and what was printed."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """The result on stdout, checked against its published schema."""
        document = json.loads(self.out)
        check(document)
        return document

    def words(self) -> str:
        """What was printed, on one line."""
        return " ".join(self.out.split())

    def result(self) -> dict[str, Any]:
        """The result of a command that went well."""
        assert self.code == 0, self.err
        found: dict[str, Any] = self.json()["result"]
        return found


class CommandLine:
    """Runs commands in this process."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: object) -> Answer:
        self._capture.readouterr()
        code = run([str(argument) for argument in arguments])
        return Answer(code, *self._capture.readouterr())


def program(*arguments: object, **environment: str) -> Answer:
    """Run the command as users do."""
    done = subprocess.run(
        [*PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False, env=os.environ | environment, timeout=120
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@cache
def schema(name: str) -> jsonschema_rs.Draft202012Validator:
    """The validator of a published schema: `compare/1`, ..."""
    return jsonschema_rs.Draft202012Validator(json.loads((SCHEMAS / f"{name.replace('/', '-')}.json").read_bytes()))


def check(document: Any, name: str = "") -> None:
    """Validate a document against the schema that it names, or against another."""
    schema(name or document["schema"].removeprefix("tensorguard/")).validate(document)
