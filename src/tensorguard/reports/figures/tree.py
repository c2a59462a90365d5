"""A family tree: every model on a line of its own, what it descends from to the left and above."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch

from tensorguard.lineage.tree import Tree, TreeEdge
from tensorguard.reports.family import rows
from tensorguard.reports.figures.base import COLOURS, INK, PAPER_GREY, SOFT, drawing, new_figure, shown

_ROW, _STEP = 0.42, 0.55  # inches
_NAMES = 5.2
_MERGE = COLOURS[4]

Places = dict[str, tuple[float, float]]


@drawing
def draw_tree(found: Tree) -> Figure:
    """Draw the family tree or trees.

    Arrows lead from parents to children; a plain line joins two of which either may have come first; the parents of a merge that it
    has less of are joined to it by curves with their weights.
    """
    order = list(rows(found))
    deepest = max(depth for _, depth, _ in order)
    top, bottom = 0.95, 0.55
    width = max(0.5 + _STEP * deepest + _NAMES, 8.0)
    plot = _ROW * len(order)
    height = top + plot + bottom
    figure = new_figure(width, height)
    axes = figure.add_axes((0.0, bottom / height, 1.0, plot / height))
    axes.set_xlim(0, width)
    axes.set_ylim(plot, 0)
    axes.axis("off")
    places: Places = {name: (0.35 + _STEP * depth, _ROW * (row + 0.5)) for row, (name, depth, _) in enumerate(order)}
    merges = set(found.mixtures)
    for name, _, edge in order:
        if edge is not None:
            _elbow(axes, places, edge)
        _node(axes, places[name], name, edge, merged=name in merges)
    above = {name: edge for name, _, edge in order}
    for edge in found.edges:
        if edge.child in above and edge != above[edge.child]:
            _curve(axes, places, edge)
    _words(figure, found, merged=bool(merges))
    return figure


def _elbow(axes: Axes, places: Places, edge: TreeEdge) -> None:
    (x, y), (to_x, to_y) = places[edge.parent], places[edge.child]
    known = edge.direction == "known"
    axes.plot((x, x), (y + 0.08, to_y), color=PAPER_GREY, linewidth=1.4, zorder=1, solid_capstyle="round")
    style = "-|>" if known else "-"
    axes.add_patch(
        FancyArrowPatch(
            (x, to_y), (to_x - 0.06, to_y), arrowstyle=style, mutation_scale=11, color=SOFT, linewidth=1.4, shrinkA=0, shrinkB=0
        )
    )


def _curve(axes: Axes, places: Places, edge: TreeEdge) -> None:
    start, end = places[edge.parent], places[edge.child]
    bend = 0.35 if start[1] < end[1] else -0.35
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=11,
            connectionstyle=f"arc3,rad={bend}",
            color=_MERGE,
            linewidth=1.1,
            shrinkA=5,
            shrinkB=6,
        )
    )


def _node(axes: Axes, place: tuple[float, float], name: str, edge: TreeEdge | None, *, merged: bool) -> None:
    x, y = place
    axes.plot(x, y, marker="D" if merged else "o", markersize=6, color=_MERGE if merged else COLOURS[0], zorder=3)
    written = axes.text(x + 0.13, y, shown(name), va="center", fontsize=9.5, zorder=4)
    if edge is not None:
        said = f"{edge.weight:.2f} of the one above" if merged else f"{edge.distance:.1%}"
        axes.annotate(
            said, (1.0, 0.5), xytext=(7, 0), xycoords=written, textcoords="offset points", va="center", fontsize=8, color=SOFT
        )


def _words(figure: Figure, found: Tree, *, merged: bool) -> None:
    width, height = figure.get_size_inches()
    figure.text(
        0.2 / width,
        1 - 0.3 / height,
        f"The most likely family tree of {len(found.nodes)} models",
        fontsize=13,
        weight="bold",
        va="center",
    )
    note = "beside each name: the relative difference of its weights to those of the model that it hangs on"
    figure.text(0.2 / width, 1 - 0.58 / height, note, fontsize=9, color=SOFT, va="center")
    key = [
        Line2D([], [], color=SOFT, marker=">", markevery=[1], markersize=6, linewidth=1.4, label="parent to child"),
        Line2D([], [], color=SOFT, linewidth=1.4, label="either may have come first"),
    ]
    if merged:
        key += [
            Line2D([], [], linestyle="none", marker="D", markersize=6, color=_MERGE, label="merge"),
            Line2D([], [], color=_MERGE, linewidth=1.1, label="its other parents"),
        ]
    figure.legend(
        handles=key,
        loc="lower left",
        bbox_to_anchor=(0.1 / width, 0.05 / height),
        ncols=4,
        frameon=False,
        fontsize=8.5,
        labelcolor=INK,
    )
