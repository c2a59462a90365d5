"""Where results go: stdout or files, in the forms a user asked for. Everything else goes to stderr."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tensorguard.errors import UsageError

if TYPE_CHECKING:
    from tensorguard.reports.document import Document

_PICTURES = ("png", "svg")
_EXPORTS = ("sarif", "cyclonedx", "spdx", "card")
_FORMATS = ("table", "json", "html", *_PICTURES, *_EXPORTS)


def _known(reports: list[str]) -> list[str]:
    """Refuse what cannot be written before any work is done."""
    for report in reports:
        _parse(report)
    return reports


JSON = typer.Option(False, "--json", help="Print JSON instead of tables (the same as -o json).")
REPORTS = typer.Option(
    [],
    "--output",
    "-o",
    metavar="FORMAT[=PATH]",
    callback=_known,
    help="table, json, html, png or svg; of scan and check also sarif, cyclonedx, spdx or card; repeatable. Without =PATH: to stdout.",
)


def deliver(document: "Document", reports: list[str], *, as_json: bool) -> None:
    """Write a document in every form asked for; the table to stdout if nothing else was asked for.

    Raises:
        UsageError: A form is unknown, or cannot go to stdout.
        ResourceError: A file cannot be written.
    """
    wanted = [_parse(report) for report in reports] + ([("json", None)] if as_json else [])
    if sum(path is None for _, path in wanted) > 1:
        raise UsageError("two reports cannot both go to stdout", hint="give all but one a path: -o json=PATH")
    if not document.pictures and any(form in _PICTURES for form, _ in wanted):
        raise UsageError(f"`{document.kind}` has no picture of this result")
    for form, _ in wanted:
        if form in _EXPORTS and form not in document.exports:
            raise UsageError(f"`{document.kind}` has no {form} of this result")
    for form, path in wanted or [("table", None)]:
        if form in _PICTURES and path:
            _draw(document, form, path)
        elif path is None and form == "table":
            _print(_screen(document))
        else:
            _write(_text(document, form), path)


def _parse(report: str) -> tuple[str, Path | None]:
    form, _, path = report.partition("=")
    if form not in _FORMATS:
        raise UsageError(f"no report is called {form!r}", hint=f"one of: {', '.join(_FORMATS)}")
    if form in _PICTURES and not path:
        raise UsageError(f"pictures need a path: -o {form}=PATH")
    return form, Path(path) if path else None


def _screen(document: "Document") -> str:
    from rich.console import Console

    from tensorguard.reports.terminal import render

    console = Console(highlight=False)
    with console.capture() as capture:
        console.print(render(document, console.width))
    return capture.get()


def _text(document: "Document", form: str) -> str:
    if form in _EXPORTS:
        return document.exports[form]()
    return {"json": _json, "html": _page, "table": _plain}[form](document)


def _plain(document: "Document") -> str:
    from tensorguard.reports.terminal import plain

    return plain(document)


def _json(document: "Document") -> str:
    from tensorguard.reports.document import to_json

    return to_json(document)


def _page(document: "Document") -> str:
    from tensorguard.reports.page import to_html

    return to_html(document)


def _write(text: str, path: Path | None) -> None:
    if path is None:
        _print(text)
        return
    from tensorguard.formats.atomic import replacing

    with replacing(path) as file:
        file.write(text.encode())


def _print(text: str) -> None:
    """Write to stdout; whoever reads it may stop early (`| head`), which is no error."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _draw(document: "Document", form: str, path: Path) -> None:
    from tensorguard.reports.figures.base import save

    for index, picture in enumerate(document.pictures):
        place = path if index == 0 else path.with_name(f"{path.stem}-{picture.name}{path.suffix}")
        save(picture.draw(), place.with_suffix(f".{form}"))
