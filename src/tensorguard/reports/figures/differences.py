"""Two models feature by feature."""

from matplotlib.figure import Figure

from tensorguard.family.similarity import Similarity
from tensorguard.reports.figures.base import COLOURS, INK, SOFT, drawing, new_figure, shown

_LINE = 0.3  # inches per feature


@drawing
def draw_differences(similarity: Similarity) -> Figure:
    """Draw the relative difference of every feature of two models, 0 (equal) to 2 (opposite), with both values beside it.

    Features that see the weights (mean, skewness, kurtosis) are darker than those that hold shapes and noise alone.
    """
    differences = similarity.differences
    left, wide, top, bottom = 1.7, 4.2, 0.95, 0.7
    plot = _LINE * len(differences)
    width, height = left + wide + 2.6, top + plot + bottom
    figure = new_figure(width, height)
    axes = figure.add_axes((left / width, bottom / height, wide / width, plot / height))
    for row, each in enumerate(differences):
        sees_weights = each.feature.endswith(("_mean", "_skewness", "_kurtosis"))
        axes.barh(row, each.relative, height=0.6, color=COLOURS[0] if sees_weights else COLOURS[1])
        axes.text(2.06, row, f"{each.first:.4g}", va="center", fontsize=8.5)
        axes.text(2.66, row, f"{each.second:.4g}", va="center", fontsize=8.5)
    axes.set_yticks(range(len(differences)), [each.feature for each in differences], color=INK)
    axes.set_ylim(len(differences) - 0.4, -0.6)
    axes.set_xlim(0, 2)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("relative difference: 0 equal, 2 opposite")
    first, second = (shown(name, 40) for name in similarity.names)
    figure.text(0.2 / width, 1 - 0.3 / height, f"{first} and {second}", fontsize=12, weight="bold", va="center")
    note = "dark: features that see the weights; light: those that hold only shapes and noise. On the right the two values."
    figure.text(0.2 / width, 1 - 0.56 / height, note, fontsize=9, color=SOFT, va="center")
    return figure
