"""The `tensorguard` command: its subcommands, and the one place where errors become messages and exit codes."""

import contextlib
import errno
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import typer

from tensorguard.cli.adapter import adapter
from tensorguard.cli.bar import tell_traffic
from tensorguard.cli.check import check
from tensorguard.cli.classify import classify
from tensorguard.cli.cluster import cluster
from tensorguard.cli.compare import compare
from tensorguard.cli.doctor import doctor
from tensorguard.cli.fingerprint import fingerprint
from tensorguard.cli.inspect import inspect
from tensorguard.cli.merge import merge
from tensorguard.cli.parents import parents
from tensorguard.cli.registry import registry
from tensorguard.cli.scan import scan
from tensorguard.cli.sensitivity import sensitivity
from tensorguard.cli.serve import serve
from tensorguard.cli.told import FILE, FORM, told
from tensorguard.cli.tree import tree
from tensorguard.cli.watching import WATCH
from tensorguard.errors import TensorGuardError, quote
from tensorguard.version import __version__

# Plain help: that of rich takes as long to import as all the rest.
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
for _command in (
    scan,
    check,
    fingerprint,
    compare,
    tree,
    parents,
    cluster,
    classify,
    sensitivity,
    merge,
    inspect,
    adapter,
    serve,
    doctor,
):
    app.command()(_command)
app.add_typer(registry, name="registry")
told(app)
told(registry, "registry ")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"tensorguard {__version__}")
        raise typer.Exit


@app.callback()
def tensorguard(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    log: str | None = FORM,
    log_file: Path | None = FILE,  # both are understood by `WATCH.begin`
) -> None:
    """Tell from the weights alone where a large language model comes from."""


def main() -> None:
    """Run the command line; never shows a traceback unless TENSORGUARD_DEBUG is set."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) is not signal.SIG_IGN:  # as `nohup` has it
            signal.signal(ending, lambda number, _: sys.exit(128 + number))  # as after Ctrl-C: half-written files are removed
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code.

    0 done, 1 fault, 2 usage, 3 bad input, 4 not found, 5 partly done, 6 resources, 129 the terminal was closed,
    130 interrupted, 143 terminated.
    """
    code = 130  # what it is if nothing else is known: somebody was impatient
    try:
        code = _run(arguments)
    except KeyboardInterrupt:  # before the command began, or when it was over
        return code
    finally:
        WATCH.end(code)
    return code


def _run(arguments: list[str]) -> int:
    as_json = "--json" in arguments
    try:
        WATCH.begin(arguments)
        code = _call(arguments)
        sys.stdout.flush()  # now, while a full disk can still be said
        tell_traffic(quiet=WATCH.owns_stderr or not {"--quiet", "-q"}.isdisjoint(arguments))
    except TensorGuardError as error:
        return _report(error.exit_code, error.kind, error.message, error.where, error.hint, as_json=as_json)
    except BrokenPipeError:
        _discard_output()
        return 0
    except OSError as error:
        _discard_output()
        where = "" if error.filename is None else str(error.filename)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)  # most likely that which stdout leads to
        message = "cannot be written: the disk is full" if full else f"the system refuses: {error.strerror}"
        hint = "free some space and run it again" if full else ""
        return _report(6, "resource", message, where, hint, as_json=as_json)
    except Exception as error:
        if os.environ.get("TENSORGUARD_DEBUG"):
            traceback.print_exc()
        hint = "this is a fault of TensorGuard; TENSORGUARD_DEBUG=1 shows where"
        return _report(1, "fault", f"{type(error).__name__}: {error}", "", hint, as_json=as_json)
    return code


def _call(arguments: list[str]) -> int:
    try:
        app(arguments, prog_name="tensorguard")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def _discard_output() -> None:
    """Send what stdout still holds nowhere, or the interpreter would fail on it again when it ends."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(code: int, kind: str, message: str, where: str, hint: str, *, as_json: bool) -> int:
    """Say on stderr what went wrong, on one line that is safe to show, and what to do on another."""
    WATCH.failed(kind, message, where, hint)
    if WATCH.owns_stderr:
        return code
    if as_json:
        fields: dict[str, Any] = {"code": code, "kind": kind, "message": message, "where": where, "hint": hint}
        print(json.dumps({"error": fields}), file=sys.stderr)
        return code
    line = quote(message, 1000)[1:-1] + (f" in {quote(where, 400)}" if where else "")
    print(f"tensorguard: error: {line}", file=sys.stderr)
    if hint:
        print(f"hint: {quote(hint, 1000)[1:-1]}", file=sys.stderr)
    return code
