"""The five clustering strategies side by side, as in the paper's figure 6, and their accuracies, as in its table I."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tensorguard.errors import UsageError
from tensorguard.family.clustering import Clustering, Member
from tensorguard.family.comparison import StrategyResult
from tensorguard.reports.figures.base import COLOURS, INK, PAPER_GREY, SOFT, WRONG, colour, drawing, new_figure, shown

_NOISE = "#9aa2ab"
_SPREAD = "#ee7733"


@drawing
def draw_strategies(clustering: Clustering, results: Sequence[StrategyResult]) -> Figure:
    """Draw a panel per strategy and space, all on the plane of the first two principal components.

    Bases are stars, derivatives circles; the colour is that of the family a model was put into, grey that of none, and a cross
    marks a model whose label is another.

    Args:
        clustering: Where the models are.
        results: What the strategies made of them; one row per space, in the order given.
    """
    spaces = list(dict.fromkeys(result.space for result in results))
    rows = [[result for result in results if result.space == space] for space in spaces]
    if not results:
        raise UsageError("there are no results to draw")
    panel, top, bottom, left = 3.1, 1.25, 0.45, 0.75
    width, height = left + panel * max(map(len, rows)), top + (panel + 0.35) * len(rows) + bottom
    figure = new_figure(width, height)
    for down, row in enumerate(rows):
        for across, result in enumerate(row):
            y = height - top - (panel + 0.35) * down - panel
            box = ((left + panel * across) / width, y / height, (panel - 0.2) / width, (panel - 0.1) / height)
            axes = figure.add_axes(box)
            _panel(axes, clustering, result, title=down == 0)
            if across == 0:
                axes.set_ylabel(spaces[down])
    figure.text(left / width, 1 - 0.3 / height, "Five ways to cluster the same models", fontsize=13, weight="bold", va="center")
    first, second = clustering.space.explained
    said = (
        f"all panels show the plane of the first two principal components ({first:.0%} and {second:.0%} of the variance); "
        "all but the first strategy have their clusters named after the fact, in the way that puts most models right"
    )
    figure.text(left / width, 1 - 0.6 / height, said, fontsize=9, color=SOFT, va="center")
    figure.legend(handles=_key(clustering.families), loc="lower center", ncols=6, frameon=False, fontsize=8.5)
    return figure


def _panel(axes: Axes, clustering: Clustering, result: StrategyResult, title: bool) -> None:
    families = clustering.families
    for member in sorted(clustering.members, key=lambda each: each.name in families):
        _mark(axes, member, result.families.get(member.name), families)
    found = result.accuracy
    count = f"{found.right_derivatives} of {found.derivatives} derivatives right" if found.derivatives else ""
    if title:
        axes.set_title(result.strategy, weight="bold", loc="left", pad=20)
    axes.text(0.0, 1.02, count, transform=axes.transAxes, va="bottom", fontsize=8.5)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.margins(0.08)
    axes.set_aspect("equal", adjustable="datalim")
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color("#d9dee4")


def _mark(axes: Axes, member: Member, family: str | None, families: Sequence[str]) -> None:
    star = member.name in families
    axes.plot(
        *member.plane,
        marker="*" if star else "o",
        markersize=12.0 if star else 6.0,
        markerfacecolor=colour(family, families) if family is not None else _NOISE,
        markeredgecolor=INK if star else "white",
        markeredgewidth=0.6,
    )
    if member.label is not None and family != member.label:
        axes.plot(*member.plane, marker="x", markersize=6.5, markeredgecolor=WRONG, markeredgewidth=1.2)


def _key(families: Sequence[str]) -> list[Line2D]:
    def mark(marker: str, size: float, inside: str, edge: str, label: str) -> Line2D:
        return Line2D(
            [], [], linestyle="none", marker=marker, markersize=size, markerfacecolor=inside, markeredgecolor=edge, label=label
        )

    return [
        *(mark("o", 7, colour(family, families), "white", shown(family, 24)) for family in families[: len(COLOURS)]),
        mark("o", 7, _NOISE, "white", "in no family"),
        mark("*", 12, "white", INK, "base model"),
        mark("x", 8, WRONG, WRONG, "not its true family"),
    ]


@drawing
def draw_accuracies(results: Sequence[StrategyResult]) -> Figure:
    """Draw the accuracy of each strategy, of the derivatives: ours in each space, and the paper's.

    A thin line spans the results over ten random states.
    """
    if not results:
        raise UsageError("there are no results to draw")
    strategies = list(dict.fromkeys(result.strategy for result in results))
    spaces = list(dict.fromkeys(result.space for result in results))
    thick, left, wide = 0.24, 2.3, 6.6
    group = thick * (len(spaces) + 1) + 0.22
    height = 1.25 + group * len(strategies) + 0.6
    width = left + wide + 0.9
    figure = new_figure(width, height)
    axes = figure.add_axes((left / width, 0.6 / height, wide / width, group * len(strategies) / height))
    inks = (COLOURS[0], COLOURS[1])
    for down, strategy in enumerate(strategies):
        ours = [result for result in results if result.strategy == strategy]
        for result in ours:
            turn = spaces.index(result.space)
            top = down * group + turn * thick
            spread = [right / max(1, result.accuracy.derivatives) for right in result.spread or ()]
            _bar(axes, top, thick, result.accuracy.of_derivatives, inks[turn % 2], max(spread, default=0.0))
            axes.plot(spread, [top + thick * 0.45] * len(spread), color=_SPREAD, linewidth=2.2, marker="|", markersize=6)
        _bar(axes, down * group + len(spaces) * thick, thick, ours[0].paper, PAPER_GREY)
    middles = [down * group + (group - 0.22) / 2 for down in range(len(strategies))]
    axes.set_yticks(middles, strategies, color=INK, fontsize=10)
    axes.set_ylim(group * len(strategies) - 0.1, -0.1)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    count = results[0].accuracy.derivatives
    figure.text(
        0.25 / width, 1 - 0.3 / height, f"Accuracy over the {count} derivatives", fontsize=13, weight="bold", va="center"
    )
    said = "ours beside the paper's table I; all but the first need the labels to name their clusters (most favourable mapping)"
    figure.text(0.25 / width, 1 - 0.58 / height, said, fontsize=9, color=SOFT, va="center")
    key = [Line2D([], [], color=inks[turn % 2], linewidth=7, label=f"ours, {space}") for turn, space in enumerate(spaces)]
    key.append(Line2D([], [], color=PAPER_GREY, linewidth=7, label="the paper's"))
    if any(result.spread for result in results):
        key.append(Line2D([], [], color=_SPREAD, linewidth=2.2, label="ours over ten random states"))
    place = (0.2 / width, 1 - 0.95 / height)
    figure.legend(handles=key, loc="center left", bbox_to_anchor=place, ncols=4, frameon=False, fontsize=8.5)
    return figure


def _bar(axes: Axes, top: float, thick: float, share: float, ink: str, beyond: float = 0.0) -> None:
    axes.barh(top, share, height=thick * 0.9, align="edge", color=ink)
    axes.text(max(share, beyond) + 0.01, top + thick * 0.45, f"{share:.0%}", va="center", fontsize=8.5, clip_on=False)
