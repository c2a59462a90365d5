"""One document per result: everything that any form of report shows."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tensorguard.reports.charts import Chart, Headline
from tensorguard.version import __version__

_UNUSUAL = re.compile(r"[^\n -~]")
"""In JSON text such characters stand in strings only."""

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a title, a heading per column and a sentence on how to read it.

    Attributes:
        title: What it shows.
        columns: Headings.
        rows: Cells; strings from files are untrusted, every form of report makes them harmless.
        note: How to read it; may be empty.
        keys: How many of the first columns say which row it is.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    keys: int = 1


@dataclass(frozen=True, slots=True)
class Branch:
    """An entry of an indented tree.

    Attributes:
        text: What it says; untrusted as cells are.
        branches: What hangs on it.
    """

    text: str
    branches: "Sequence[Branch]" = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure that is drawn when it is asked for.

    Attributes:
        name: A word for its file name.
        caption: What to see in it.
        draw: Draws it; imports matplotlib.
    """

    name: str
    caption: str
    draw: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Document:
    """A result, ready to be shown as a table, JSON, a page or pictures.

    Attributes:
        kind: The command that made it.
        title: A heading.
        summary: The answer, in a sentence or two.
        result: What machines read: anything msgspec can encode.
        settings: The effective settings.
        inputs: What was looked at.
        skipped: What was left out, with reasons.
        notices: Things to know.
        trees: Indented trees, shown before the tables.
        tables: What people read.
        pictures: What people look at.
        headline: The answer in a word, with what it rests on; the page shows it.
        charts: What people explore on the page; a picture of a chart's name is not drawn there.
        exports: Further forms of it, by format: `sarif`, `cyclonedx`, `spdx`, `card`; made when they are asked for.
    """

    kind: str
    title: str
    summary: str
    result: Any
    settings: Mapping[str, Any] = field(default_factory=dict)
    inputs: Sequence[Mapping[str, Any]] = ()
    skipped: Sequence[Mapping[str, Any]] = ()
    notices: Sequence[str] = ()
    trees: Sequence[Branch] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    headline: Headline | None = None
    charts: Sequence[Chart] = ()
    exports: Mapping[str, Callable[[], str]] = field(default_factory=dict)


def to_json(document: Document) -> str:
    """Return the JSON envelope, schema `tensorguard/KIND/1` (see `schema/`); equal documents give equal text.

    Characters that could control a terminal, or turn text around, are escaped wherever JSON would allow them.
    """
    envelope = {
        "schema": f"tensorguard/{document.kind}/1",
        "tool": {"name": "tensorguard", "version": __version__},
        "settings": document.settings,
        "inputs": document.inputs,
        "result": document.result,
        "skipped": document.skipped,
        "notices": document.notices,
    }
    text = msgspec.json.encode(envelope, order="sorted")
    return _UNUSUAL.sub(_escaped, msgspec.json.format(text, indent=2).decode()) + "\n"


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character.isprintable():
        return character
    pair = character.encode("utf-16-be").hex()
    return "".join(f"\\u{pair[start : start + 4]}" for start in range(0, len(pair), 4))


def number(value: float) -> str:
    """Return a number as people read it: four significant digits, no exponent where none is needed."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
