"""Commands in this process, their JSON held against the published schemas."""

import contextlib
import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from tensorguard.cli.main import run

SCHEMAS = Path(__file__).parents[2] / "schema"


def called(*arguments: object) -> str:
    """Run a command that has to go well and return what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(argument) for argument in arguments])
    assert code == 0, err.getvalue()
    return out.getvalue()


def told(*arguments: object) -> Any:
    """Run a command with `--json` and return its result."""
    document = json.loads(called(*arguments, "--json"))
    validate(document)
    return document["result"]


@cache
def schema(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(json.loads((SCHEMAS / f"{name}.json").read_bytes()))


def validate(document: Any, name: str = "") -> None:
    """Hold a document against the schema that it names, or against another."""
    schema(name or document["schema"].removeprefix("tensorguard/").replace("/", "-")).validate(document)
