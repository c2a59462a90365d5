"""One model against every family: how far it is, how far the members are, and where the thresholds lie."""

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tensorguard.family.classify import Classification
from tensorguard.family.clustering import Clustering
from tensorguard.reports.figures.base import COLOURS, INK, PAPER_GREY, SOFT, drawing, new_figure, shown

_OUTSIDE = "#cc3311"
_BACKGROUND = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
_LINE = 0.42  # inches per family


@drawing
def draw_classification(found: Classification, clustering: Clustering) -> Figure:
    """Draw a bar per family, nearest first: the model's distance to its centroid, over ticks at the members' own distances.

    Lines mark the threshold that was used and the leave-one-family-out threshold.
    """
    families = list(found.distances)
    left, wide, top, bottom = 2.4, 6.2, 1.05, 0.75
    plot = _LINE * len(families)
    width, height = left + wide + 0.8, top + plot + bottom
    figure = new_figure(width, height)
    axes = figure.add_axes((left / width, bottom / height, wide / width, plot / height))
    own = {
        family: [m.distance for m in clustering.members if m.family == family and m.name != found.name] for family in families
    }
    farthest = max([*found.distances.values(), found.threshold, *(d for each in own.values() for d in each)])
    for row, family in enumerate(families):
        distance = found.distances[family]
        ink = (COLOURS[0] if family == found.family else _OUTSIDE) if row == 0 else PAPER_GREY
        axes.barh(row, distance, height=0.55, color=ink)
        axes.text(distance + farthest * 0.01, row, f"{distance:.3g}", va="center", fontsize=8.5, bbox=_BACKGROUND, zorder=3)
        axes.plot(
            own[family], [row + 0.38] * len(own[family]), linestyle="none", marker="|", markersize=5, color=INK, alpha=0.6
        )
    axes.axvline(found.threshold, color=INK, linewidth=1.2)
    key = [Line2D([], [], color=INK, linewidth=1.2, label=f"threshold {found.threshold:g}")]
    strict = found.leave_one_family_out_threshold
    if strict is not None:
        axes.axvline(strict, color=INK, linewidth=1.2, linestyle=":")
        key.append(Line2D([], [], color=INK, linewidth=1.2, linestyle=":", label=f"leave one family out, {strict:.3g}"))
    key.append(Line2D([], [], color=INK, linestyle="none", marker="|", markersize=7, label="members of the family"))
    axes.set_yticks(range(len(families)), [shown(family, 30) for family in families], color=INK)
    axes.set_ylim(len(families) - 0.4, -0.6)
    axes.set_xlim(0, farthest * 1.08)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("distance to the family's centroid, standardised features")
    said = f"in the family of {shown(found.family)}" if found.family else "out of cluster"
    figure.text(0.2 / width, 1 - 0.3 / height, f"{shown(found.name)}: {said}", fontsize=13, weight="bold", va="center")
    note = "bars: this model; ticks: the members of each family, at their own distances"
    figure.text(0.2 / width, 1 - 0.56 / height, note, fontsize=9, color=SOFT, va="center")
    place = (0.2 / width, 1 - 0.82 / height)
    figure.legend(handles=key, loc="center left", bbox_to_anchor=place, ncols=3, frameon=False, fontsize=8.5)
    return figure
