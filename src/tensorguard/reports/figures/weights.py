"""What each block of a merge is made of: the weights of its parents, or the block that it was copied from."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from tensorguard.lineage.mixture import Mixture
from tensorguard.lineage.parents import Part
from tensorguard.reports.figures.base import COLOURS, PAPER_GREY, SOFT, drawing, new_figure, shown

_PANELS = ("all", "attention", "ffn")
_TITLES = {"all": "whole block", "attention": "attention", "ffn": "MLP"}
_LEFT, _TOP, _GAP, _FOOT = 0.75, 1.2, 0.35, 0.6
_TALL = 2.0
_NAMES_PER_LINE = 3


@drawing
def draw_weights(child: str, found: Mixture) -> Figure:
    """Draw the weight of every parent along the blocks with its interval: whole blocks, attention and MLP."""
    panels = [name for name in _PANELS if any(each.part == name for each in found.layers)]
    names = [each.name for each in found.layers[0].weights]
    blocks = len([each for each in found.layers if each.part == "all"])
    wide = min(8.0, max(5.0, 0.22 * blocks))
    top = _top(names)
    width, height = _LEFT + wide + 0.3, top + (_TALL + _GAP) * len(panels) + _FOOT - _GAP
    figure = new_figure(width, height)
    for row, panel in enumerate(panels):
        bottom = height - top - _TALL - (_TALL + _GAP) * row
        axes = figure.add_axes((_LEFT / width, bottom / height, wide / width, _TALL / height))
        _curves(axes, [each for each in found.layers if each.part == panel], names)
        axes.set_title(_TITLES[panel], loc="left", fontsize=9)
        axes.set_ylabel("weight")
        if row < len(panels) - 1:
            axes.tick_params(labelbottom=False)
        else:
            axes.set_xlabel(f"block of {shown(child)}")
    _words(figure, f"What {shown(child)} is made of, block by block", "lines: weights; shades: their 95 % intervals", names)
    return figure


@drawing
def draw_blocks(child: str, found: Mixture) -> Figure:
    """Draw for every block of a passthrough merge the parent's block that it was copied from."""
    names = list(dict.fromkeys(each.parent for each in found.blocks if each.parent is not None))
    wide = min(8.0, max(5.0, 0.22 * len(found.blocks)))
    width, height = _LEFT + wide + 0.3, _top(names) + 3.0 + _FOOT
    figure = new_figure(width, height)
    axes = figure.add_axes((_LEFT / width, _FOOT / height, wide / width, 3.0 / height))
    for at, each in enumerate(found.blocks):
        if each.parent is not None and each.parent_layer is not None:
            colour = COLOURS[names.index(each.parent) % len(COLOURS)]
            axes.plot(at, each.parent_layer, marker="s", markersize=6, color=colour)
    axes.margins(0.06)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(f"block of {shown(child)}")
    axes.set_ylabel("block of the parent")
    _words(
        figure, f"Where the blocks of {shown(child)} come from", "each square: a copied block, coloured by the parent", names
    )
    return figure


def _top(names: Sequence[str]) -> float:
    """Return the inches above the panels: a title, a note, and a key of three names a line."""
    return _TOP + 0.2 * (-(-len(names) // _NAMES_PER_LINE) - 1)


def _curves(axes: Axes, parts: Sequence[Part], names: Sequence[str]) -> None:
    axes.axhline(0.0, color=PAPER_GREY, linewidth=0.8)
    across = range(len(parts))
    for at, name in enumerate(names):
        colour = COLOURS[at % len(COLOURS)]
        weights = [next((each for each in part.weights if each.name == name), None) for part in parts]
        here = [(x, weight) for x, weight in zip(across, weights, strict=True) if weight is not None]
        where = [x for x, _ in here]
        axes.fill_between(where, [w.low for _, w in here], [w.high for _, w in here], color=colour, alpha=0.2, linewidth=0)
        axes.plot(where, [w.weight for _, w in here], color=colour, marker="o", markersize=3.0, linewidth=1.4)
    ends = [(each.low, each.high, each.weight) for part in parts for each in part.weights]
    middle = [weight for _, _, weight in ends]
    axes.set_ylim(
        max(min(low for low, _, _ in ends), min(middle) - 0.5) - 0.05,
        min(max(high for _, high, _ in ends), max(middle) + 0.5) + 0.05,
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _words(figure: Figure, title: str, note: str, names: Sequence[str]) -> None:
    width, height = figure.get_size_inches()
    figure.text(0.2 / width, 1 - 0.3 / height, title, fontsize=12, weight="bold", va="center")
    figure.text(0.2 / width, 1 - 0.55 / height, note, fontsize=9, color=SOFT, va="center")
    key = [
        Line2D([], [], color=COLOURS[at % len(COLOURS)], linewidth=3, label=shown(name, 30)) for at, name in enumerate(names)
    ]
    place = (0.1 / width, 1 - 0.64 / height)
    figure.legend(handles=key, loc="upper left", bbox_to_anchor=place, ncols=_NAMES_PER_LINE, frameon=False, fontsize=8.5)
