"""A document as a person reads it in a terminal, by rich."""

import re
from collections.abc import Sequence
from typing import Any, Literal

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.containers import Lines
from rich.table import Table as RichTable
from rich.text import Text
from rich.tree import Tree

from tensorguard.errors import quote
from tensorguard.reports.document import Branch, Cell, Document, Table, number

_SHORT = 14
"""Cells up to this length are never broken over lines."""

_MOST = 100
"""Things left out, and notes, that are shown."""

_GAP = 2
"""Spaces between columns."""


def printable(text: object) -> str:
    """Return untrusted text on one line, control characters escaped."""
    return quote(text, 200)[1:-1]


def render(document: Document, width: int) -> RenderableType:
    """Return what a terminal of `width` columns shows: the answer first, then tables, then what to know."""
    parts: list[RenderableType] = [Text(printable_sentence(document.summary), style="bold")]
    for branch in document.trees:
        parts += [Text(""), _tree(branch)]
    for table in document.tables:
        parts += [Text(""), *_pieces(table, width)]
        if table.note:
            parts.append(Text(printable_sentence(table.note), style="dim"))
    told = [f"left out: {printable(skip.get('name', ''))}: {printable(skip.get('reason', ''))}" for skip in document.skipped]
    parts += [Text(line, style="yellow") for line in _first(told, "left out: {} more")]
    told = [f"note: {printable_sentence(notice)}" for notice in document.notices]
    parts += [Text(line, style="yellow") for line in _first(told, "note: {} more like these")]
    return Group(*parts)


def _first(lines: list[str], more: str) -> list[str]:
    """Return as many lines as anybody reads, and how many more there are; JSON has all."""
    rest = len(lines) - _MOST
    return lines if rest <= 0 else [*lines[:_MOST], f"{more.format(f'{rest:,}')}; --json lists all"]


def printable_sentence(text: str) -> str:
    """Return a notice with control characters escaped, long as it may be."""
    return quote(text, 2000)[1:-1]


def plain(document: Document, width: int = 120) -> str:
    """Return the same as plain text, without colours."""
    console = Console(width=width, no_color=True, highlight=False)
    with console.capture() as capture:
        console.print(render(document, width))
    return capture.get()


def _tree(branch: Branch, onto: Tree | None = None) -> Tree:
    text = Text(printable_sentence(branch.text))
    grown = Tree(text, guide_style="dim") if onto is None else onto.add(text)
    for each in branch.branches:
        _tree(each, grown)
    return grown


def _pieces(table: Table, width: int) -> list[RichTable]:
    """Return the table, in pieces that each begin with its key columns where it is too wide: a column is never dropped."""
    texts = [[_cell(cell) for cell in row] for row in table.rows]
    needed = [
        max(min(_SHORT, max((len(row[index]) for row in texts), default=0)), *map(len, printable(heading).split()), 1)
        for index, heading in enumerate(table.columns)
    ]
    pieces: list[list[int]] = [[]]
    for index, column in enumerate(needed):
        if len(pieces[-1]) > table.keys and sum(needed[other] + _GAP for other in pieces[-1]) + column > width:
            pieces.append(list(range(table.keys)))
        pieces[-1].append(index)
    return [_piece(table, texts, needed, columns, title=table.title if columns is pieces[0] else "") for columns in pieces]


def _piece(
    table: Table, texts: Sequence[Sequence[str]], needed: Sequence[int], columns: Sequence[int], *, title: str
) -> RichTable:
    shown = RichTable(
        title=Text(printable(title)) if title else None,
        title_justify="left",
        title_style="bold",
        header_style="",
        box=None,
        pad_edge=False,
        padding=(0, _GAP, 0, 0),
    )
    for index in columns:
        numeric = all(isinstance(row[index], int | float | None) for row in table.rows)
        align: Literal["left", "right"] = "right" if numeric else "left"
        heading = Text(printable(table.columns[index]), style="bold")
        shown.add_column(heading, justify=align, overflow="fold", min_width=needed[index])
    for row in texts:
        shown.add_row(*(_Broken(row[index]) for index in columns))
    return shown


class _Broken(Text):
    """Text of a cell: a word that is wider than its column, such as a model's name, is broken where its parts meet."""

    def wrap(self, console: Console, width: int, **options: Any) -> Lines:
        """Return lines of at most `width` columns."""
        fitting = re.sub(r"\S+", lambda word: _parted(word[0], width), self.plain)
        return Text(fitting, style=self.style, end=self.end).wrap(console, width, **options)


def _parted(word: str, width: int) -> str:
    """Return a word over as many lines as it takes, each as long as parts that end with a `/` or the like allow."""
    if cell_len(word) <= width:
        return word
    lines = [""]
    for part in re.findall(r"[^-/_.:]*[-/_.:]+|[^-/_.:]+", word):
        lines[len(lines) - 1 :] = [lines[-1] + part] if cell_len(lines[-1] + part) <= width else [lines[-1], part]
    return "\n".join(lines).lstrip("\n")


def _cell(cell: Cell) -> str:
    if cell is None:
        return "-"
    return printable_sentence(cell) if isinstance(cell, str) else number(cell)
