"""A document as one self-contained HTML page: the answer first, charts to explore, no request.

Everything is in the page without its script, which makes it explorable; the page's own policy lets that one script run, by its digest,
and nothing else.
"""

import base64
import hashlib
import platform
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tensorguard.reports import charts_drawn
from tensorguard.reports.document import Cell, Document, Picture, number, to_json
from tensorguard.reports.methods import method
from tensorguard.reports.terminal import printable, printable_sentence
from tensorguard.version import __version__

_OPEN_ROWS = 12
"""Longer tables are folded, and those that a chart of the same title shows."""
_LONGEST_JSON = 400_000
_LONGEST_SVG = 250_000
"""Longer pictures, of many points, are shown as PNG."""


def to_html(document: Document) -> str:
    """Return the page. Everything that came from a file is escaped, and the page's own policy forbids other scripts and all requests."""
    environment = Environment(loader=PackageLoader("tensorguard.reports"), autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"cell": _cell, "sentence": printable_sentence, "line": printable}
    json = to_json(document)
    names = {chart.name for chart in document.charts}
    return environment.get_template("page.html").render(
        document=document,
        charts=charts_drawn.drawn(document.charts),
        data=Markup(charts_drawn.data(document.charts)),  # noqa: S704 - escaped for where it stands
        scale=charts_drawn.scale(),
        pictures=[(picture.caption, _inline(picture)) for picture in document.pictures if picture.name not in names],
        charted=[chart.title for chart in document.charts],
        method=method(document.kind),
        exact=list(_exact(document, json)),
        json=json if len(json) <= _LONGEST_JSON else "",
        open_rows=_OPEN_ROWS,
        version=__version__,
        policy=policy(),
        script=Markup(_part("page.js")),  # noqa: S704 - our own file
        style=Markup(_part("page.css")),  # noqa: S704 - our own file
    )


@cache
def policy() -> str:
    """Return the page's content security policy: our script by its SHA-256, our styles, pictures inside the page, nothing else."""
    digest = base64.b64encode(hashlib.sha256(_part("page.js").encode()).digest()).decode()
    rest = "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; script-src 'sha256-{digest}'; {rest}"


@cache
def _part(name: str) -> str:
    return files("tensorguard.reports").joinpath("templates", name).read_text(encoding="utf-8")


def _inline(picture: Picture) -> Markup:
    from tensorguard.reports.figures.base import to_png, to_svg

    figure = picture.draw()
    svg = to_svg(figure)
    if len(svg) <= _LONGEST_SVG:
        return Markup(svg)  # noqa: S704 - our own SVG
    return Markup('<img alt="{}" src="data:image/png;base64,{}">').format(
        printable_sentence(picture.caption), base64.b64encode(to_png(figure)).decode()
    )


def _exact(document: Document, json: str) -> Iterator[tuple[str, str]]:
    yield "TensorGuard", f"{__version__}, Python {platform.python_version()}"
    yield "schema", f"tensorguard/{document.kind}/1"
    yield "SHA-256 of the JSON report", hashlib.sha256(json.encode()).hexdigest()
    for name, value in document.settings.items():
        yield f"setting: {name}", _text(value)
    for each in document.inputs:
        yield "input", _input(each)


def _input(given: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {_text(value)}" for name, value in given.items())


def _text(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else msgspec.json.encode(value, order="sorted").decode()


def _cell(cell: Cell) -> str:
    if cell is None:
        return "–"
    return printable_sentence(cell) if isinstance(cell, str) else number(cell)
