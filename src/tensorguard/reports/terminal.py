"""A document as a person reads it in a terminal, by rich."""

from typing import Literal

from rich.console import Console, Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from tensorguard.errors import quote
from tensorguard.reports.document import Cell, Document, Table, number

_SHORT = 14
"""Cells up to this length are never broken over lines."""


def printable(text: object) -> str:
    """Return untrusted text on one line, control characters escaped."""
    return quote(text, 200)[1:-1]


def render(document: Document) -> RenderableType:
    """Return what the terminal shows: the answer first, then tables, then what to know."""
    parts: list[RenderableType] = [Text(document.summary, style="bold")]
    for table in document.tables:
        parts += [Text(""), _table(table)]
        if table.note:
            parts.append(Text(table.note, style="dim"))
    for skip in document.skipped:
        parts.append(Text(f"left out: {printable(skip.get('name', ''))}: {printable(skip.get('reason', ''))}", style="yellow"))
    parts += [Text(f"note: {printable_sentence(notice)}", style="yellow") for notice in document.notices]
    return Group(*parts)


def printable_sentence(text: str) -> str:
    """Return a notice with control characters escaped, long as it may be."""
    return quote(text, 2000)[1:-1]


def plain(document: Document, width: int = 120) -> str:
    """Return the same as plain text, without colours."""
    console = Console(width=width, no_color=True, highlight=False)
    with console.capture() as capture:
        console.print(render(document))
    return capture.get()


def _table(table: Table) -> RichTable:
    shown = RichTable(
        title=Text(table.title), title_justify="left", title_style="bold", header_style="", box=None, pad_edge=False
    )
    texts = [[_cell(cell) for cell in row] for row in table.rows]
    for index, heading in enumerate(table.columns):
        numeric = all(isinstance(row[index], int | float | None) for row in table.rows)
        width = min(_SHORT, max((len(row[index]) for row in texts), default=0))
        align: Literal["left", "right"] = "right" if numeric else "left"
        shown.add_column(Text(printable(heading), style="bold"), justify=align, overflow="fold", min_width=width)
    for row in texts:
        shown.add_row(*map(Text, row))
    return shown


def _cell(cell: Cell) -> str:
    if cell is None:
        return "-"
    return printable(cell) if isinstance(cell, str) else number(cell)
