"""What the page draws to be explored: plain data, which needs no library to be shown. Every text in it is untrusted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Tone = Literal["linked", "shared", "clear", "unknown", "subject", "bad"]
"""What a colour means: linked models, common components, nothing found, not known, the model in question, something to put right."""

Facts = Sequence[tuple[str, str]]
"""What is known of something: names of facts and what they are."""


@dataclass(frozen=True, slots=True)
class Headline:
    """The answer in a word.

    Attributes:
        word: The verdict.
        tone: Its colour.
        facts: How sure it is and what else matters most, few.
    """

    word: str
    tone: Tone
    facts: Facts = ()


@dataclass(frozen=True, slots=True)
class Panel:
    """One matrix of a heat map.

    Attributes:
        name: What it is of, such as a basis of the residual stream; what a reader chooses it by.
        values: Rows of numbers from 0 to 1; what lies outside is drawn as the end of the scale; None where there is no number.
        marks: Cells with a ring around them, row and column.
        path: Cells that a line joins.
    """

    name: str
    values: Sequence[Sequence[float | None]]
    marks: Sequence[tuple[int, int]] = ()
    path: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, slots=True)
class Heatmap:
    """Rows against columns; each cell can be pointed at.

    Attributes:
        name: A word; the page leaves out a picture of this name, since it shows this instead.
        title: A heading.
        note: How to read it.
        row_title: What rows are, such as `block of X`.
        column_title: What columns are.
        rows: A label per row.
        columns: A label per column.
        panels: The matrices, the most telling first.
        measure: What the numbers are.
        mark: What a ring means; empty without rings.
        path: What the line means; empty without one.
        numbered: Whether the axes count from 1 and the labels stand beside the map, as long names do.
    """

    name: str
    title: str
    note: str
    row_title: str
    column_title: str
    rows: Sequence[str]
    columns: Sequence[str]
    panels: Sequence[Panel]
    measure: str
    mark: str = ""
    path: str = ""
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Measure:
    """What bars are as long as.

    Attributes:
        name: What is measured.
        largest: The end of the scale, which begins at 0.
        least: Where a line marks what counts; None without one.
        meaning: What lies beyond that line.
        logarithmic: Whether lengths grow with log(1 + value).
    """

    name: str
    largest: float
    least: float | None = None
    meaning: str = ""
    logarithmic: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        label: Whose it is.
        values: One per measure; None where there is none.
        texts: What is written beside the bar, one per measure.
        tone: Its colour.
        tag: A word beside the label, such as the verdict.
        facts: What opening it shows.
    """

    label: str
    values: Sequence[float | None]
    texts: Sequence[str]
    tone: Tone
    tag: str = ""
    facts: Facts = ()


@dataclass(frozen=True, slots=True)
class Bars:
    """Ranked bars; each can be opened.

    Attributes:
        name: As of a heat map.
        title: A heading.
        note: How to read it.
        measures: What the bars may be as long as; a reader chooses one.
        bars: The bars in their order.
    """

    name: str
    title: str
    note: str
    measures: Sequence[Measure]
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Node:
    """A model of a family graph.

    Attributes:
        label: Its name.
        tone: Its colour.
        tag: A word beside the name.
        facts: What choosing it shows.
    """

    label: str
    tone: Tone
    tag: str = ""
    facts: Facts = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """A link between two nodes, by their places in the list.

    Attributes:
        parent: The ancestor, or either of the two where that is not known.
        child: The descendant, or the other.
        note: What is known of the link.
        measured: Whether it was measured on weights; else somebody says so.
        directed: Whether it is known which of the two came first.
    """

    parent: int
    child: int
    note: str
    measured: bool = True
    directed: bool = True


@dataclass(frozen=True, slots=True)
class Graph:
    """A family graph; choosing a node shows what is known of it.

    Attributes:
        name: As of a heat map.
        title: A heading.
        note: How to read it.
        nodes: The models.
        edges: Their links.
    """

    name: str
    title: str
    note: str
    nodes: Sequence[Node]
    edges: Sequence[Edge]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to do or to look at.

    Attributes:
        text: What, a sentence.
        tone: Its colour.
        tag: A word beside it: a kind of duty, a severity.
        facts: Why, where, what exactly.
    """

    text: str
    tone: Tone = "unknown"
    tag: str = ""
    facts: Facts = ()


@dataclass(frozen=True, slots=True)
class Checklist:
    """Things to do; each can be ticked.

    Attributes:
        name: As of a heat map.
        title: A heading.
        note: How to read it.
        items: The things, in their order.
    """

    name: str
    title: str
    note: str
    items: Sequence[Item]


Chart = Heatmap | Bars | Graph | Checklist
