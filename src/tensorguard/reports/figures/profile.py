"""Where two models differ: a row per role, a column per block."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from tensorguard.lineage.pair import Pair
from tensorguard.reports.figures.base import INK, SOFT, drawing, new_figure, shown

Cells = Mapping[tuple[str, int | None], float]
"""(role, block of the first model or None) -> a number."""

_ROW, _LEAST, _MOST = 0.24, 4.6, 9.0
_SMALLEST_SHOWN = 1e-4
_TICKS, _LABELS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0), ("0.01 %", "0.1 %", "1 %", "10 %", "100 %")


@drawing
def draw_profile(pair: Pair) -> Figure:
    """Draw the cosine and the relative difference of every two matrices that were compared by their sketches."""
    found = pair.lineage.evidence
    if found is None or not found.matrices:
        raise ValueError("there is nothing to draw")
    cosines = {(each.role, each.layer): each.cosine for each in found.matrices}
    differences = {(each.role, each.layer): each.difference for each in found.matrices}
    panels = [
        (cosines, "cosine in the fixed basis", Normalize(0.0, 1.0), "viridis"),
        (differences, "relative difference", LogNorm(_SMALLEST_SHOWN, 1.0), "magma_r"),
    ]
    return _draw(f"{shown(pair.first, 34)} against {shown(pair.second, 34)}, matrix by matrix", panels)


@drawing
def draw_deep(pair: Pair) -> Figure:
    """Draw the relative difference of every two matrices that were read."""
    if pair.deep is None:
        raise ValueError("there is nothing to draw")
    found: dict[tuple[str, int | None], list[float]] = {}
    for each in pair.deep.tensors:
        if ":" not in each.role:
            found.setdefault((each.role, each.layer), []).append(each.difference)
    cells = {place: float(np.mean(values)) for place, values in found.items()}
    title = f"{shown(pair.first, 34)} against {shown(pair.second, 34)}, value by value"
    return _draw(title, [(cells, "relative difference, read in full", LogNorm(_SMALLEST_SHOWN, 1.0), "magma_r")])


def _draw(title: str, panels: Sequence[tuple[Cells, str, Any, str]]) -> Figure:
    roles = list(dict.fromkeys(role for role, _ in panels[0][0]))
    layers = sorted({layer for _, layer in panels[0][0] if layer is not None})
    columns = len(layers) + 1  # the first is for what lies outside blocks
    wide, tall = min(_MOST, max(_LEAST, 0.26 * columns)), _ROW * len(roles)
    left, right, top, gap = 1.1, 1.1, 0.95, 0.75
    width, height = max(left + wide + right, 6.6), top + (tall + gap) * len(panels) - 0.3
    figure = new_figure(width, height)
    for index, (cells, label, norm, colours) in enumerate(panels):
        bottom = height - top - tall - (tall + gap) * index
        axes = figure.add_axes((left / width, bottom / height, wide / width, tall / height))
        values = np.full((len(roles), columns), np.nan)
        for (role, layer), value in cells.items():
            values[roles.index(role), 0 if layer is None else 1 + layers.index(layer)] = max(value, norm.vmin)
        image = axes.imshow(values, cmap=colours, norm=norm, aspect="auto", interpolation="nearest")
        _frame(axes, roles, layers)
        axes.set_title(label, loc="left", fontsize=9)
        bar = figure.colorbar(
            image, cax=figure.add_axes(((left + wide + 0.12) / width, bottom / height, 0.13 / width, tall / height))
        )
        bar.outline.set_visible(False)
        if isinstance(norm, LogNorm):
            bar.set_ticks(_TICKS, labels=_LABELS)
            bar.ax.minorticks_off()
    figure.text(0.2 / width, 1 - 0.3 / height, title, fontsize=12, weight="bold", va="center")
    note = "columns: what lies outside blocks, then the blocks of the first model; white: not there"
    figure.text(0.2 / width, 1 - 0.55 / height, note, fontsize=9, color=SOFT, va="center")
    return figure


def _frame(axes: Axes, roles: Sequence[str], layers: Sequence[int]) -> None:
    step = max(1, -(-len(layers) // 12))
    ticks = [0, *range(1, len(layers) + 1, step)]
    axes.set_xticks(ticks, ["–", *(str(layers[at - 1]) for at in ticks[1:])])
    axes.set_yticks(range(len(roles)), [shown(role, 16) for role in roles], color=INK)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
