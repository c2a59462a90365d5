"""Something between each two of many models as a clustered heat map: like models side by side, their tree beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.cluster.hierarchy import dendrogram

from tensorguard.family.similarity import Similarity
from tensorguard.reports.effects import Effects
from tensorguard.reports.figures.base import INK, SOFT, drawing, new_figure, shown

MOST_NAMED = 150
MOST_IN_TREE = 600
MOST_NUMBERED = 12

_NAME_WIDTH = 0.062  # inches per character of a name at 7 points


@dataclass(frozen=True, slots=True)
class _Heatmap:
    """What is drawn.

    Attributes:
        names: The models in the order of the tree's leaves.
        values: n x n, in that order; NaN is left white.
        tree: In scipy's form.
        largest: The value at the end of the scale, which begins at 0.
        colours: matplotlib's name of the scale; dark is alike.
        title: A heading.
        note: How to read it.
        label: What the scale means.
    """

    names: Sequence[str]
    values: NDArray[np.float64]
    tree: NDArray[np.float64]
    largest: float
    colours: str
    title: str
    note: str
    label: str


@drawing
def draw_heatmap(similarity: Similarity) -> Figure:
    """Draw the distance matrix with rows and columns in the order of the average-linkage tree.

    Up to 12 models each cell shows its number, beyond 150 the names are left out, and beyond 600 the tree too.
    """
    order = list(similarity.order())
    distances = np.array(similarity.distances)[np.ix_(order, order)]
    relative = similarity.method != "standardised"
    return _draw(
        _Heatmap(
            names=[similarity.names[row] for row in order],
            values=distances,
            tree=similarity.tree(),
            largest=2.0 if relative else float(distances.max()) or 1.0,
            colours="viridis",
            title=f"Distances between {len(order)} models",
            note="dark is near; rows in the order of the average-linkage tree",
            label="RMS relative difference" if relative else "Euclidean distance, standardised features",
        )
    )


@drawing
def draw_effects(found: Effects) -> Figure:
    """Draw how alike the blocks of each two models act, like `draw_heatmap`."""
    note = "dark is alike: 1 is a copy, 0 chance, white not comparable; rows in the order of the average-linkage tree"
    title = f"How alike {len(found.names)} models act"
    label = "mean cosine of operators, less chance"
    return _draw(_Heatmap(found.names, found.values, found.tree, 1.0, "viridis_r", title, note, label))


def _draw(wanted: _Heatmap) -> Figure:
    count = len(wanted.names)
    names = [shown(name) for name in wanted.names] if count <= MOST_NAMED else []
    cell = 0.6 if count <= MOST_NUMBERED else 0.17
    side = min(max(3.2, cell * count), 12.0 if count > MOST_NAMED else 26.0)
    margin = 0.25 + _NAME_WIDTH * max(map(len, names), default=0) * (1.25 if count <= MOST_NUMBERED else 1.0)
    tree, top, scale = 1.3, 0.9, 0.85
    width, height = max(0.2 + tree + side + margin + scale, 0.4 + 0.066 * len(wanted.note)), top + side + margin
    figure = new_figure(width, height)

    def place(left: float, bottom: float, wide: float, tall: float) -> Axes:
        return figure.add_axes((left / width, bottom / height, wide / width, tall / height))

    matrix = place(0.2 + tree, margin, side, side)
    image = matrix.imshow(
        wanted.values, cmap=wanted.colours, vmin=0.0, vmax=wanted.largest, aspect="equal", interpolation="nearest"
    )
    _names(matrix, names, 9.0 if count <= MOST_NUMBERED else 7.0)
    if count <= MOST_NUMBERED:
        _numbers(matrix, wanted)
    if count <= MOST_IN_TREE:
        _tree(place(0.2, margin, tree - 0.06, side), wanted.tree, count)
    bar = figure.colorbar(image, cax=place(width - scale, margin, 0.16, min(side, 3.2)))
    bar.outline.set_visible(False)
    bar.set_label(wanted.label, fontsize=8)
    figure.text(0.2 / width, 1 - 0.3 / height, wanted.title, fontsize=13, weight="bold", va="center")
    figure.text(0.2 / width, 1 - 0.6 / height, wanted.note, fontsize=9, color=SOFT, va="center")
    return figure


def _names(axes: Axes, names: list[str], size: float) -> None:
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.yaxis.tick_right()
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=size, color=INK)
    axes.set_yticks(range(len(names)), names, fontsize=size, color=INK)


def _numbers(axes: Axes, wanted: _Heatmap) -> None:
    for (row, column), value in np.ndenumerate(wanted.values):
        if not np.isnan(value):
            dark = (value <= wanted.largest / 2) == (wanted.colours == "viridis")
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color="white" if dark else INK, fontsize=9)


def _tree(axes: Axes, tree: NDArray[np.float64], count: int) -> None:
    drawn = dendrogram(tree, orientation="left", no_plot=True)
    for places, heights in zip(drawn["icoord"], drawn["dcoord"], strict=True):
        axes.plot(heights, places, color=SOFT, linewidth=0.8, solid_joinstyle="miter")
    axes.set_ylim(10 * count, 0)  # scipy puts leaf i at 5 + 10 i
    axes.set_xlim(float(tree[-1, 2]) * 1.02 or 1.0, 0)
    axes.axis("off")
