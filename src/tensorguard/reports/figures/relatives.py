"""A model's relatives, ranked, and the blocks of the best of them against its own."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tensorguard.lineage.calibration import SMALLEST_DERIVED
from tensorguard.lineage.scan import Relative, Scan
from tensorguard.lineage.verdict import Verdict
from tensorguard.reports.figures.base import COLOURS, INK, PAPER_GREY, SOFT, drawing, new_figure, shown
from tensorguard.reports.figures.evidence import mark_blocks
from tensorguard.reports.wording import p_value

_ROW = 0.52
"""Inches per relative."""
_MOST = 16
_COLOUR: dict[Verdict, str] = {
    "identical": COLOURS[0],
    "same-weights": COLOURS[0],
    "derived": COLOURS[0],
    "related": COLOURS[6],
    "shares-components": COLOURS[3],
}
_MAP, _WIDTH = 3.5, 11.6


@drawing
def draw_relatives(scan: Scan) -> Figure:
    """Draw the models that one was compared with, the most telling on top, with effects and p-values."""
    found = [*scan.relatives, *scan.others][:_MOST]
    if not found:
        raise ValueError("there is nothing to draw")
    evidence = found[0].lineage.evidence
    mapped = evidence is not None and bool(evidence.similarity)
    down = max(_ROW * len(found), _MAP if mapped else 1.0)
    top, bottom = 1.0, 0.6
    height = top + down + bottom
    figure = new_figure(_WIDTH, height)
    wide = 4.9 if mapped else 9.0
    axes = figure.add_axes(
        (0.35 / _WIDTH, (bottom + down - _ROW * len(found)) / height, wide / _WIDTH, _ROW * len(found) / height)
    )
    _bars(axes, found)
    if mapped:
        _map(figure, scan, found[0], (6.9 / _WIDTH, (bottom + down - _MAP) / height, _MAP / _WIDTH, _MAP / height))
    title = f"{shown(scan.name, 50)} against {scan.searched:,} known models"
    figure.text(0.2 / _WIDTH, 1 - 0.3 / height, title, fontsize=13, weight="bold", va="center")
    note = "effect: how alike blocks act, 1 a copy, 0 chance; p-values pay for all tests and all known models"
    figure.text(0.2 / _WIDTH, 1 - 0.58 / height, note, fontsize=9, color=SOFT, va="center")
    return figure


def _bars(axes: Axes, found: list[Relative]) -> None:
    places = np.arange(len(found))
    for place, each in zip(places, found, strict=True):
        effect = max(each.lineage.effect or 0.0, 0.0)
        colour = _COLOUR.get(each.lineage.verdict, PAPER_GREY)
        axes.barh(place + 0.22, 1.0, height=0.3, color="#eef1f5")
        axes.barh(place + 0.22, effect, height=0.3, color=colour)
        chance = "certain" if each.lineage.how == "certain" else p_value(each.log10_p)
        number = "not comparable" if each.lineage.effect is None else f"{each.lineage.effect:.2f}"
        axes.text(0.0, place - 0.16, shown(each.entry.name, 42), va="center", fontsize=9, color=INK)
        axes.text(1.0, place - 0.16, each.lineage.verdict, va="center", ha="right", fontsize=8.5, color=SOFT)
        axes.text(1.02, place + 0.22, f"{number}, {chance}", va="center", fontsize=8.5, color=INK, clip_on=False)
    axes.vlines([SMALLEST_DERIVED] * len(found), places + 0.02, places + 0.42, color=INK, linewidth=1.1)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_yticks([])
    axes.set_xticks([0, SMALLEST_DERIVED, 0.5, 1], ["0", f"{SMALLEST_DERIVED:g}\nleast that counts", "0.5", "1"])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("")


def _map(figure: Figure, scan: Scan, best: Relative, box: tuple[float, float, float, float]) -> None:
    evidence = best.lineage.evidence
    if evidence is None:
        return
    basis = max(evidence.similarity, key=lambda each: evidence.excess[each])
    values = np.array(evidence.similarity[basis])
    axes = figure.add_axes(box)
    image = axes.imshow(values, cmap="viridis", vmin=0.0, vmax=1.0, aspect="auto", interpolation="nearest")
    if basis == evidence.basis:
        mark_blocks(axes, evidence, values, 72 * _MAP / max(values.shape))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    for axis, count in ((axes.xaxis, values.shape[1]), (axes.yaxis, values.shape[0])):
        axis.set_ticks(range(0, count, max(1, -(-count // 8))))
    axes.set_ylabel(f"block of {shown(scan.name, 34)}", fontsize=8.5)
    axes.set_xlabel(f"block of {shown(best.entry.name, 34)}", fontsize=8.5)
    left, bottom, wide, tall = box
    bar = figure.colorbar(image, cax=figure.add_axes((left + wide + 0.012, bottom, 0.012, tall)))
    bar.outline.set_visible(False)
    bar.set_label("mean cosine of operators", fontsize=8)
