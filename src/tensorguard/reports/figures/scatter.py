"""Families on the plane of the first two principal components, as in the paper's figures 4 and 6."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tensorguard.family.clustering import Clustering, Member
from tensorguard.reports.figures.base import INK, SOFT, WRONG, colour, drawing, new_figure, shown
from tensorguard.reports.figures.placement import Label, place_labels

MOST_LISTED = 150
"""Beyond so many models, only bases and wrong ones are named."""

FEWEST_NUMBERED = 16
"""Fewer models are all named in the picture itself."""

_STAR, _CIRCLE, _RING = 17.0, 7.5, 14.0  # diameters of the marks, in points
_LINE = 0.16  # inches per line of the list
_COLUMN = 3.3


@drawing
def draw_scatter(clustering: Clustering) -> Figure:
    """Draw a clustering: bases as stars, derivatives as circles, the colour that of the family they were put into.

    Models put into another family than their label's have a red ring. Bases and wrong ones are named in the picture, the others
    numbered (or named too, if they are few), and all are listed beside it.
    """
    members, families = clustering.members, clustering.families
    numbers = _numbering(clustering) if len(members) <= MOST_LISTED else {}
    columns = _columns(clustering, numbers)
    left, top, plot, gap = 0.8, 0.95, 8.6, 0.3
    width = left + plot + gap + _COLUMN * len(columns)
    height = max(8.6, _LINE * max(map(len, columns)) + top + 0.3)
    figure = new_figure(width, height)
    axes = figure.add_axes((left / width, 0.6 / height, plot / width, (height - top - 0.6) / height))
    points = np.array([member.plane for member in members])
    _mark(axes, members, families)
    _axes_labels(axes, clustering.space.explained)
    radii = np.array([_diameter(member, families) / 2 for member in members])
    place_labels(axes, _labels(members, families, numbers, axes), points, radii)
    _title(figure, clustering, left / width, height)
    for number, column in enumerate(columns):
        x = left + plot + gap + _COLUMN * number
        _write(figure, column, x / width, (height - top) / height, width, height)
    return figure


def _numbering(clustering: Clustering) -> dict[str, int]:
    """Number the derivatives family by family, in the order in which they are listed."""
    families = clustering.families
    ordered = [member for family in families for member in clustering.members if member.family == family]
    return {member.name: number for number, member in enumerate((each for each in ordered if each.name not in families), 1)}


def _is_wrong(member: Member) -> bool:
    return member.label is not None and member.label != member.family


def _diameter(member: Member, families: Sequence[str]) -> float:
    mark = _STAR if member.name in families else _CIRCLE
    return max(mark, mark * 0.4 + _RING) if _is_wrong(member) else mark


def _mark(axes: Axes, members: Sequence[Member], families: Sequence[str]) -> None:
    for member in members:
        star = member.name in families
        axes.plot(
            *member.plane,
            marker="*" if star else "o",
            markersize=_STAR if star else _CIRCLE,
            markerfacecolor=colour(member.family, families),
            markeredgecolor=INK if star else "white",
            markeredgewidth=0.8 if star else 0.6,
            linestyle="none",
            zorder=4 if star else 3,
        )
        if _is_wrong(member):
            size = _diameter(member, families)
            axes.plot(*member.plane, "o", markersize=size, markerfacecolor="none", markeredgecolor=WRONG, markeredgewidth=1.6)


def _axes_labels(axes: Axes, explained: Sequence[float]) -> None:
    first, second = explained
    axes.set_xlabel(f"first principal component ({first:.1%} of the variance)")
    axes.set_ylabel(f"second principal component ({second:.1%} of the variance)")
    axes.grid(color="#eceff2", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.margins(0.08)
    axes.set_aspect("equal", adjustable="datalim")  # so that near in the picture is near in the plane
    axes.autoscale_view()
    axes.apply_aspect()


def _labels(members: Sequence[Member], families: Sequence[str], numbers: Mapping[str, int], axes: Axes) -> list[Label]:
    bases, wrong, others = [], [], []
    for member in members:
        radius = _diameter(member, families) / 2
        if member.name in families:
            bases.append(Label(shown(member.name, 30), member.plane, 9.5, INK, "bold", radius * 0.8))
        elif _is_wrong(member):
            wrong.append(Label(shown(member.name, 40), member.plane, 8.5, WRONG, clearance=radius))
        elif numbers:
            others.append(member)
    if len(members) < FEWEST_NUMBERED:
        others_named = (Label(shown(member.name, 40), member.plane, 8.5, "#3c444d") for member in others)
        return [*bases, *wrong, *others_named]
    heaps = [(heap[0].plane, ", ".join(str(numbers[member.name]) for member in heap)) for heap in _heaps(others, axes)]
    return [*bases, *wrong, *(Label(text, place, 8.0, "#3c444d") for place, text in heaps)]


def _heaps(members: Sequence[Member], axes: Axes) -> list[list[Member]]:
    """Join models of one family whose marks would hide each other, at most six, so that they share one label."""
    near = 6.5 * axes.figure.dpi / 72
    heaps: list[tuple[NDArray[np.float64], list[Member]]] = []
    for member in members:
        pixel = axes.transData.transform(member.plane)
        for centre, heap in heaps:
            if heap[0].family == member.family and np.hypot(*(pixel - centre)) < near and len(heap) < 6:
                heap.append(member)
                break
        else:
            heaps.append((pixel, [member]))
    return [heap for _, heap in heaps]


def _title(figure: Figure, clustering: Clustering, left: float, height: float) -> None:
    title = f"{len(clustering.members)} models in {len(clustering.families)} families"
    figure.text(left, 1 - 0.3 / height, title, fontsize=13, weight="bold", va="center")
    said = f"{clustering.settings.strategy} in the space of all {len(clustering.space.columns)} features; the plane is only for the picture"
    found = clustering.accuracy
    if found and found.derivatives:
        right = f"{found.right_derivatives} of {found.derivatives} derivatives right ({found.of_derivatives:.0%})"
        said += f". {right}; a red ring: in another family than its true one"
    figure.text(left, 1 - 0.6 / height, said, fontsize=9, color=SOFT, va="center")


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the list: a family's heading (with its colour) or one of its models (with its number)."""

    text: str
    colour: str = INK
    number: str = ""
    star: str = ""


def _columns(clustering: Clustering, numbers: Mapping[str, int]) -> list[list[_Line]]:
    """Return the list of models in one column or two, no family broken; an empty line after each family."""
    blocks = [_block(family, clustering, numbers) for family in clustering.families]
    total = sum(map(len, blocks))
    if total <= 45:
        return [[line for block in blocks for line in block]]
    columns: list[list[_Line]] = [[], []]
    for block in blocks:
        columns[bool(columns[1]) or len(columns[0]) + len(block) / 2 > total / 2].extend(block)
    return columns


def _block(family: str, clustering: Clustering, numbers: Mapping[str, int]) -> list[_Line]:
    lines = [_Line(shown(family, 34), star=colour(family, clustering.families))]
    for member in clustering.members if numbers else ():
        number = str(numbers.get(member.name, "\N{BLACK STAR}"))
        if member.family == family and _is_wrong(member):
            lines.append(_Line(f"{shown(member.name, 24)} (is {shown(str(member.label), 18)})", WRONG, number))
        elif member.family == family and member.name != family:
            lines.append(_Line(shown(member.name, 44), INK, number))
    return [*lines, _Line("")]


def _write(figure: Figure, lines: Sequence[_Line], x: float, top: float, width: float, height: float) -> None:
    for row, line in enumerate(lines):
        y = top - _LINE * (row + 0.5) / height
        if line.star:
            figure.text(x + 0.13 / width, y, "\N{BLACK STAR}", ha="center", va="center", fontsize=12, color=line.star)
            figure.text(x + 0.27 / width, y, line.text, va="center", fontsize=8.5, weight="bold")
        else:
            figure.text(x + 0.22 / width, y, line.number, ha="right", va="center", fontsize=7.0, color=line.colour)
            figure.text(x + 0.27 / width, y, line.text, va="center", fontsize=7.0, color=line.colour)
