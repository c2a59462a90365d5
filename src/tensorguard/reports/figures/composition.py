"""Where a model's bytes are: one bar of the whole, and one for every block."""

from collections import Counter
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tensorguard.inspection.base import BlockBytes, Inspection
from tensorguard.inspection.composition import GROUPS
from tensorguard.reports.figures.base import COLOURS, INK, PAPER_GREY, SOFT, drawing, new_figure, shown
from tensorguard.reports.sizes import size

_COLOUR = {group: COLOURS[place] if group != "norms, biases" else PAPER_GREY for place, group in enumerate(GROUPS)}
_LEFT, _WIDE, _RIGHT, _BAR, _BLOCKS, _GAP = 0.9, 7.4, 0.5, 0.42, 1.35, 0.62
_LABELLED = 0.07
"""Least share of the whole at which a piece of the bar has its percentage written in it."""
_MOST = 256
"""Blocks that are drawn of a tower."""


@drawing
def draw_composition(found: Inspection) -> Figure:
    """Draw the bar of the whole by group, and for each tower that has blocks a bar per block."""
    towers = list(dict.fromkeys(each.tower for each in found.blocks if each.layer is not None))
    width = _LEFT + _WIDE + _RIGHT
    height = 1.45 + _BAR + (_BLOCKS + _GAP) * len(towers) + 0.2
    figure = new_figure(width, height)
    totals = Counter[str]()
    for part in found.parts:
        totals[part.group] += part.bytes
    _whole(figure.add_axes((_LEFT / width, (height - 1.3 - _BAR) / height, _WIDE / width, _BAR / height)), totals)
    for index, tower in enumerate(towers):
        bottom = height - 1.3 - _BAR - (_BLOCKS + _GAP) * (index + 1) + 0.12
        axes = figure.add_axes((_LEFT / width, bottom / height, _WIDE / width, _BLOCKS / height))
        _blocks(axes, tower, [each for each in found.blocks if each.tower == tower])
    figure.text(
        0.2 / width, 1 - 0.3 / height, f"{shown(found.name)}: where the bytes are", fontsize=12, weight="bold", va="center"
    )
    about = f"{size(found.storage.parameters)} of parameters; blocks in MB, what lies outside them first (–)"
    figure.text(0.2 / width, 1 - 0.55 / height, about, fontsize=9, color=SOFT, va="center")
    key = [Patch(color=_COLOUR[group], label=group) for group in GROUPS if totals[group]]
    place = (0.2 / width, 1 - 0.86 / height)
    figure.legend(handles=key, loc="center left", bbox_to_anchor=place, ncols=5, frameon=False, fontsize=8, handlelength=1.0)
    return figure


def _whole(axes: Axes, totals: Counter[str]) -> None:
    start, whole = 0.0, max(1, totals.total())
    for group in GROUPS:
        part = totals[group] / whole
        axes.barh(0, part, left=start, height=1.0, color=_COLOUR[group])
        if part >= _LABELLED:
            ink = "white" if group in ("embedding", "feed-forward", "output head") else INK
            axes.text(start + part / 2, 0, f"{part:.0%}", ha="center", va="center", fontsize=8.5, color=ink)
        start += part
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.5, 0.5)
    axes.set_axis_off()


def _blocks(axes: Axes, tower: str, blocks: Sequence[BlockBytes]) -> None:
    outside = [each for each in blocks if each.layer is None]
    every = [each for each in blocks if each.layer is not None]
    inside, cut = every[:_MOST], len(every) > _MOST
    places = [*range(len(outside)), *(1 + index for index in range(len(inside)))]
    highest = max(sum(count for _, count in each.groups) for each in inside) / 1e6
    for place, block in zip(places, [*outside, *inside], strict=True):
        base = 0.0
        for group, count in block.groups:
            axes.bar(place, count / 1e6, bottom=base, width=0.82, color=_COLOUR[group])
            base += count / 1e6
        if base > 1.6 * highest:  # the embedding would dwarf the blocks
            axes.text(place + 0.55, 1.5 * highest, f"{size(round(base * 1e6))} ↑", fontsize=8, color=SOFT, va="center")
    axes.set_ylim(0, 1.6 * highest)
    axes.set_xlim(-0.7, len(inside) + 0.7)
    step = max(1, -(-len(inside) // 16))
    ticks = range(0, len(inside), step)
    axes.set_xticks([0, *(1 + at for at in ticks)], ["–", *(str(inside[at].layer) for at in ticks)])
    more = f", the first {_MOST}" if cut else ""
    axes.set_title(f"{shown(tower, 30)}, block by block{more}", loc="left", fontsize=9)
    axes.set_ylabel("MB")
