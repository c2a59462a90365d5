"""The sensitivity of each layer to each kind of noise, like the paper's figure 5 but with scores that depend on the weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator

from tensorguard.errors import UsageError
from tensorguard.family.sensitivity import SensitivityAnalysis
from tensorguard.fingerprint.sensitivity import ROLES, SCORES, LayerScores
from tensorguard.reports.figures.base import INK, SOFT, drawing, new_figure, shown

TITLES = {
    "norm": "published score  ‖G‖ = ‖x‖",
    "gain": "gain  ‖W x‖ / ‖x‖",
    "pullback": "pullback  ‖Wᵀ u‖ = ‖∂L/∂x‖",
}

_SHADES = {"attention": ("Oranges", 0.95, 0.4), "ffn": ("Blues", 0.95, 0.45)}
_MARKERS = "osD^vP"
_COLUMN, _ROW, _HEAD, _FOOT, _LEFT = 3.5, 1.5, 1.0, 0.45, 1.6


@dataclass(frozen=True, slots=True)
class _Series:
    """The layers of one role: their indices and, per strategy and score, mean and standard deviation."""

    role: str
    colour: tuple[float, float, float, float]
    marker: str
    layers: tuple[tuple[int, tuple[LayerScores, ...]], ...]

    def values(self, strategy: str, score: str) -> tuple[list[int], list[float], list[float]]:
        """Return layer indices, means and standard deviations; several experts or towers of a layer are averaged."""
        found = [(at, [layer.scores[strategy][score] for layer in members]) for at, members in self.layers]
        means = [sum(s.mean for s in scores) / len(scores) for _, scores in found]
        stds = [sum(s.std for s in scores) / len(scores) for _, scores in found]
        return [at for at, _ in found], means, stds


@drawing
def draw_sensitivity(analysis: SensitivityAnalysis) -> Figure:
    """Draw a row per strategy: the published score, the gain and the pullback of every layer, a line per role.

    Attention roles are orange, the MLP's blue; the shade around a line is one standard deviation over the repeats. Gain and
    pullback are on logarithmic axes; a column shares one axis.
    """
    measured = analysis.measured
    series = _series(measured.layers)
    if not series:
        raise UsageError("there are no layers to draw")
    rows = len(measured.strategies)
    width, height = _LEFT + _COLUMN * len(SCORES), _HEAD + _ROW * rows + _FOOT
    figure = new_figure(width, height)
    grid = figure.subplots(rows, len(SCORES), sharex=True, sharey="col", squeeze=False)
    figure.subplots_adjust(_LEFT / width, _FOOT / height, 1 - 0.15 / width, 1 - _HEAD / height, wspace=0.16, hspace=0.14)
    for row, strategy in enumerate(measured.strategies):
        for column, score in enumerate(SCORES):
            _panel(grid[row, column], series, strategy, score)
        middle = 1 - (_HEAD + (row + 0.5) * (height - _HEAD - _FOOT) / rows) / height
        figure.text(0.15 / width, middle, strategy.replace("_", "\n"), fontsize=10, weight="bold", va="center")
    for axes in grid.flat:
        axes.autoscale()
    for axes, score in zip(grid[0], SCORES, strict=True):
        axes.set_title(TITLES[score], color=INK)
    for axes in grid[-1]:
        axes.set_xlabel("layer")
    _heading(figure, f"Sensitivity of {shown(measured.name)}", series)
    return figure


def _panel(axes: Axes, series: Sequence[_Series], strategy: str, score: str) -> None:
    axes.set_autoscale_on(False)  # until all is drawn: every addition would scale all that share an axis again
    for one in series:
        layers, means, stds = one.values(strategy, score)
        low = [max(m - s, m / 10) for m, s in zip(means, stds, strict=True)]
        axes.fill_between(
            layers, low, [m + s for m, s in zip(means, stds, strict=True)], color=one.colour, alpha=0.10, linewidth=0
        )
        axes.plot(layers, means, color=one.colour, marker=one.marker, markersize=3, linewidth=1)
    if score != "norm":
        axes.set_yscale("log", subs=())
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(axis="y", color="#e6e9ed", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def _series(layers: Sequence[LayerScores]) -> list[_Series]:
    """Group layers by role, in canonical order, with a colour of its category for each."""
    found: dict[str, dict[int, list[LayerScores]]] = {}
    for layer in layers:
        if layer.layer is not None:
            found.setdefault(layer.role, {}).setdefault(layer.layer, []).append(layer)
    order = {role: place for place, role in enumerate(ROLES)}
    roles = sorted(found, key=lambda role: (order.get(role, len(order)), role))
    categories = {role: next(iter(found[role].values()))[0].category for role in roles}
    series = []
    for place, role in enumerate(roles):
        same = [other for other in roles if categories[other] == categories[role]]
        name, dark, light = _SHADES.get(categories[role], ("Greys", 0.8, 0.4))
        share = same.index(role) / max(1, len(same) - 1)
        shade = mpl.colormaps[name](dark + share * (light - dark))
        members = tuple((at, tuple(found[role][at])) for at in sorted(found[role]))
        series.append(_Series(role, shade, _MARKERS[place % len(_MARKERS)], members))
    return series


def _heading(figure: Figure, title: str, series: Sequence[_Series]) -> None:
    width, height = figure.get_size_inches()
    figure.text(0.15 / width, 1 - 0.25 / height, title, fontsize=13, weight="bold", va="center")
    note = "mean over the repeats of each layer; the published score holds nothing but the width and strength of the input"
    figure.text(0.15 / width, 1 - 0.52 / height, note, fontsize=9, color=SOFT, va="center")
    handles = [Line2D([], [], color=s.colour, marker=s.marker, markersize=4, linewidth=1.2, label=s.role) for s in series]
    place = (1 - 0.1 / width, 1 - 0.1 / height)
    figure.legend(handles=handles, loc="upper right", bbox_to_anchor=place, ncols=len(handles), frameon=False, fontsize=9)
