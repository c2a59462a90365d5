"""The distances between models as a clustered heat map: near models side by side, their tree beside it."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.cluster.hierarchy import dendrogram

from tensorguard.family.similarity import Similarity
from tensorguard.reports.figures.base import INK, SOFT, drawing, new_figure, shown

MOST_NAMED = 150
MOST_IN_TREE = 600
MOST_NUMBERED = 12

_NAME_WIDTH = 0.062  # inches per character of a name at 7 points


@drawing
def draw_heatmap(similarity: Similarity) -> Figure:
    """Draw the distance matrix with rows and columns in the order of the average-linkage tree.

    Up to 12 models each cell shows its number, beyond 150 the names are left out, and beyond 600 the tree too.
    """
    order = list(similarity.order())
    count = len(order)
    names = [shown(similarity.names[row]) for row in order] if count <= MOST_NAMED else []
    distances = np.array(similarity.distances)[np.ix_(order, order)]

    cell = 0.6 if count <= MOST_NUMBERED else 0.17
    side = min(max(3.2, cell * count), 12.0 if count > MOST_NAMED else 26.0)
    margin = 0.25 + _NAME_WIDTH * max(map(len, names), default=0) * (1.25 if count <= MOST_NUMBERED else 1.0)
    tree, top, scale = 1.3, 0.9, 0.85
    width, height = 0.2 + tree + side + margin + scale, top + side + margin
    figure = new_figure(width, height)

    def place(left: float, bottom: float, wide: float, tall: float) -> Axes:
        return figure.add_axes((left / width, bottom / height, wide / width, tall / height))

    matrix = place(0.2 + tree, margin, side, side)
    relative = similarity.method != "standardised"
    largest = 2.0 if relative else float(distances.max()) or 1.0
    image = matrix.imshow(distances, cmap="viridis", vmin=0.0, vmax=largest, aspect="equal", interpolation="nearest")
    _names(matrix, names, 9.0 if count <= MOST_NUMBERED else 7.0)
    if count <= MOST_NUMBERED:
        _numbers(matrix, distances, largest)
    if count <= MOST_IN_TREE:
        _tree(place(0.2, margin, tree - 0.06, side), similarity)
    bar = figure.colorbar(image, cax=place(width - scale, margin, 0.16, min(side, 3.2)))
    bar.outline.set_visible(False)
    bar.set_label("RMS relative difference" if relative else "Euclidean distance, standardised features", fontsize=8)
    figure.text(0.2 / width, 1 - 0.3 / height, f"Distances between {count} models", fontsize=13, weight="bold", va="center")
    note = "dark is near; rows in the order of the average-linkage tree"
    figure.text(0.2 / width, 1 - 0.6 / height, note, fontsize=9, color=SOFT, va="center")
    return figure


def _names(axes: Axes, names: list[str], size: float) -> None:
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.yaxis.tick_right()
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=size, color=INK)
    axes.set_yticks(range(len(names)), names, fontsize=size, color=INK)


def _numbers(axes: Axes, distances: NDArray[np.float64], largest: float) -> None:
    for (row, column), distance in np.ndenumerate(distances):
        ink = "white" if distance <= largest / 2 else INK
        axes.text(column, row, f"{distance:.2f}", ha="center", va="center", color=ink, fontsize=9)


def _tree(axes: Axes, similarity: Similarity) -> None:
    drawn = dendrogram(similarity.tree(), orientation="left", no_plot=True)
    for places, heights in zip(drawn["icoord"], drawn["dcoord"], strict=True):
        axes.plot(heights, places, color=SOFT, linewidth=0.8, solid_joinstyle="miter")
    count = len(similarity.names)
    axes.set_ylim(10 * count, 0)  # scipy puts leaf i at 5 + 10 i
    axes.set_xlim(float(similarity.tree()[-1, 2]) * 1.02 or 1.0, 0)
    axes.axis("off")
