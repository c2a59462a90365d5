"""Several models' sensitivity along their depth, a panel per role."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tensorguard.errors import UsageError
from tensorguard.family.sensitivity_comparison import SensitivityComparison
from tensorguard.reports.figures.base import COLOURS, INK, PAPER_GREY, SOFT, drawing, new_figure, shown
from tensorguard.reports.figures.sensitivity import TITLES

_PANEL, _ROW, _LEFT, _FOOT = 1.75, 1.75, 1.5, 0.5
_LEGEND_COLUMNS = 3
_STYLES = ("-", "--", ":")


@drawing
def draw_sensitivity_comparison(*comparisons: SensitivityComparison) -> Figure:
    """Draw z-scores against relative depth: a row per comparison (a score under a strategy), a panel per role, a line per model.

    Args:
        comparisons: Of the same models, in the order of the rows.
    """
    if not comparisons or not comparisons[0].depths:
        raise UsageError("there are no layers to draw")
    roles = list(dict.fromkeys(place.role for place in comparisons[0].depths))
    models = comparisons[0].models
    head = 0.95 + 0.2 * -(-len(models) // _LEGEND_COLUMNS)
    width, height = max(8.0, _LEFT + _PANEL * len(roles) + 0.2), head + _ROW * len(comparisons) + _FOOT
    figure = new_figure(width, height)
    grid = figure.subplots(len(comparisons), len(roles), sharex=True, sharey="row", squeeze=False)
    figure.subplots_adjust(_LEFT / width, _FOOT / height, 1 - 0.2 / width, 1 - head / height, wspace=0.08, hspace=0.14)
    for row, comparison in enumerate(comparisons):
        for column, role in enumerate(roles):
            _panel(grid[row, column], comparison, role)
        middle = 1 - (head + (row + 0.5) * _ROW) / height
        figure.text(0.15 / width, middle, TITLES[comparison.score].replace("  ", "\n"), fontsize=8, va="center")
    for axes, role in zip(grid[0], roles, strict=True):
        axes.set_title(role, color=INK)
    for axes in grid[-1]:
        axes.set_xlabel("relative depth")
    _heading(figure, comparisons[0])
    return figure


def _panel(axes: Axes, comparison: SensitivityComparison, role: str) -> None:
    axes.axhline(0.0, color=PAPER_GREY, linewidth=0.8)
    for index in range(len(comparison.models)):
        points = [(place.at, place.z[index]) for place in comparison.depths if place.role == role]
        known = [(at, z) for at, z in points if z is not None]
        if known:
            axes.plot(*zip(*known, strict=True), color=_colour(index), linestyle=_style(index), linewidth=1.4)
    axes.set_xlim(-0.04, 1.04)
    axes.set_xticks((0.0, 0.5, 1.0), ("0", "½", "1"))


def _heading(figure: Figure, comparison: SensitivityComparison) -> None:
    width, height = figure.get_size_inches()
    title = f"Sensitivity along the depth of {len(comparison.models)} models"
    figure.text(0.15 / width, 1 - 0.22 / height, title, fontsize=13, weight="bold", va="center")
    note = (
        f"z-scores within each model; strategy: {comparison.strategy.replace('_', ' ')}; fc_in is drawn as up, fc_out as down"
    )
    figure.text(0.15 / width, 1 - 0.47 / height, note, fontsize=9, color=SOFT, va="center")
    handles = [
        Line2D([], [], color=_colour(index), linestyle=_style(index), linewidth=1.6, label=shown(name, 32))
        for index, name in enumerate(comparison.models)
    ]
    place = (0.1 / width, 1 - 0.55 / height)
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=place,
        ncols=_LEGEND_COLUMNS,
        frameon=False,
        fontsize=8,
        labelspacing=0.2,
    )


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def _style(index: int) -> str:
    return _STYLES[index // len(COLOURS) % len(_STYLES)]
