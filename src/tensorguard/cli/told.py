"""Options of every command that say how its run is told to machines; see `watching`."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from tensorguard.cli.watching import FORMS, LOG, LOG_FILE, WATCH

LONG = ("fingerprint", "merge", "registry add", "registry build")
"""Commands that may take hours: they have metrics."""


def _form(given: str | None) -> str | None:
    if given and given not in FORMS:
        raise typer.BadParameter(f"one of {', '.join(FORMS)}", param_hint=LOG[0])
    return given


def _place(given: str | None) -> tuple[str, int] | None:
    """Return host and port of `[HOST:]PORT`."""
    if given is None:
        return None
    host, _, port = given.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port[:6]) <= 65_535):
        raise typer.BadParameter("a port from 0 to 65535, or HOST:PORT", param_hint="--metrics-port")
    return host.strip("[]") or "127.0.0.1", int(port)


FORM = typer.Option(
    None, LOG[0], metavar="FORM", envvar=LOG[1], callback=_form, help="Log what is done on stderr: json or text, a line each."
)
FILE = typer.Option(
    None,
    LOG_FILE[0],
    metavar="PATH",
    envvar=LOG_FILE[1],
    help="Log to the end of this file instead; json unless --log says text.",
)
PORT = typer.Option(
    None,
    "--metrics-port",
    metavar="[HOST:]PORT",
    help="Serve Prometheus metrics while it runs, to this machine unless a host is given.",
)
METRICS = typer.Option(
    None, "--metrics-file", metavar="PATH", help="Keep Prometheus metrics in this file, for node_exporter's textfile collector."
)

_Option = tuple[str, Any, Any]
_EVERY: tuple[_Option, ...] = (("log", str | None, FORM), ("log_file", Path | None, FILE))
_METRICS: tuple[_Option, ...] = (("metrics_port", str | None, PORT), ("metrics_file", Path | None, METRICS))


def told(app: typer.Typer, prefix: str = "") -> None:
    """Give the commands of an application these options; to be called when it has all its commands."""
    for each in app.registered_commands:
        assert each.callback is not None  # noqa: S101 - a command is a function
        name = prefix + (each.name or each.callback.__name__)
        each.callback = _told(each.callback, name, _EVERY + (_METRICS if name in LONG else ()))


def _told(command: Callable[..., Any], name: str, options: tuple[_Option, ...]) -> Callable[..., Any]:
    @functools.wraps(command)
    def run(**given: Any) -> Any:
        more = {option: given.pop(option) for option, _, _ in options}
        WATCH.command(name, _place(more.get("metrics_port")), more.get("metrics_file"))
        return command(**given)

    added = [
        inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for option, kind, default in options
    ]
    signature = inspect.signature(command)
    vars(run)["__signature__"] = signature.replace(parameters=[*signature.parameters.values(), *added])
    run.__annotations__ = {**command.__annotations__, **{option: kind for option, kind, _ in options}}
    return run
