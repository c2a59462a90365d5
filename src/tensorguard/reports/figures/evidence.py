"""Block against block of two models: what their operators have in common, basis by basis."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from tensorguard.lineage.evidence import Evidence
from tensorguard.lineage.pair import Pair
from tensorguard.reports.figures.base import INK, SOFT, WRONG, drawing, new_figure, shown

_TITLES = {"fixed": "fixed basis", "words": "token space, by words", "ids": "token space, by numbers"}
_MOST_MARKED = 130
_SMALLEST, _LARGEST = 2.2, 4.2  # inches of a panel's longer side


@drawing
def draw_evidence(pair: Pair) -> Figure:
    """Draw the mean operator cosine between all blocks of both models, a panel per basis, the one that says most first.

    In that panel crosses mark the pairs of blocks that were compared, and rings those that were found to be the same block.
    """
    found = pair.lineage.evidence
    if found is None or not found.similarity:
        raise ValueError("there is nothing to draw")
    bases = sorted(found.similarity, key=lambda basis: -found.excess[basis])
    rows, columns = np.array(found.similarity[bases[0]]).shape
    unit = min(_LARGEST, max(_SMALLEST, 0.16 * max(rows, columns))) / max(rows, columns)
    wide, tall = max(unit * columns, 1.4), max(unit * rows, 1.4)
    left, gap, top, bottom = 0.75, 0.45, 1.25, 1.0
    width, height = max(left + (wide + gap) * len(bases) + 0.7, 7.0), top + tall + bottom
    figure = new_figure(width, height)
    for index, basis in enumerate(bases):
        box = ((left + (wide + gap) * index) / width, bottom / height, wide / width, tall / height)
        axes = figure.add_axes(box)
        image = axes.imshow(
            np.array(found.similarity[basis]), cmap="viridis", vmin=0.0, vmax=1.0, aspect="auto", interpolation="nearest"
        )
        axes.set_title(f"{_TITLES[basis]}\neffect {found.excess[basis]:.2f}", loc="left", fontsize=9)
        axes.spines[:].set_visible(False)
        _ticks(axes, rows, columns)
        if basis == found.basis and max(rows, columns) <= _MOST_MARKED:
            mark_blocks(axes, found, np.array(found.similarity[basis]), 72 * min(wide / columns, tall / rows))
        if index == 0:
            axes.set_ylabel(f"block of {shown(pair.first, 28)}")
            axes.set_xlabel(f"block of {shown(pair.second, 28)}", loc="left")
    end = left + (wide + gap) * len(bases) - gap
    bar = figure.colorbar(image, cax=figure.add_axes(((end + 0.12) / width, bottom / height, 0.13 / width, tall / height)))
    bar.outline.set_visible(False)
    bar.set_label("mean cosine of operators", fontsize=8)
    title = f"{shown(pair.first, 34)} against {shown(pair.second, 34)}, block by block"
    figure.text(0.2 / width, 1 - 0.3 / height, title, fontsize=12, weight="bold", va="center")
    note = "a bright ridge: the same blocks; a flat glow: one residual basis, other blocks; dark: nothing in common"
    figure.text(0.2 / width, 1 - 0.58 / height, note, fontsize=9, color=SOFT, va="center")
    key = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker="o",
            markersize=7,
            markerfacecolor="none",
            markeredgecolor=WRONG,
            label="the same block",
        ),
        Line2D(
            [], [], linestyle="none", marker="x", markersize=5, markeredgecolor=INK, label="compared, best one-to-one pairs"
        ),
    ]
    figure.legend(
        handles=key, loc="lower left", bbox_to_anchor=(0.1 / width, 0.08 / height), ncols=2, frameon=False, fontsize=8.5
    )
    return figure


def _ticks(axes: Axes, rows: int, columns: int) -> None:
    for axis, count in ((axes.xaxis, columns), (axes.yaxis, rows)):
        step = max(1, -(-count // 8))
        axis.set_ticks(range(0, count, step))
    axes.tick_params(length=0)


def mark_blocks(axes: Axes, found: Evidence, cosines: NDArray[np.float64], cell: float) -> None:
    """Mark pairs of blocks; `cell` is the side of a cell in points."""
    size = max(2.0, min(13.0, 0.6 * cell))
    for a, b in found.blocks:
        ink = INK if cosines[a, b] > 0.5 else "white"
        axes.plot(b, a, marker="x", markersize=0.45 * size, markeredgecolor=ink, markeredgewidth=0.8)
    for a, origin in enumerate(found.layers.origins):
        if origin is not None:
            axes.plot(
                origin, a, marker="o", markersize=size, markerfacecolor="none", markeredgecolor=WRONG, markeredgewidth=1.1
            )
