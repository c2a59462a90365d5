"""What `sensitivity` tells: which layers answer most, by the published score and by the ones that see the weights."""

from collections.abc import Sequence
from functools import partial

from tensorguard.errors import quote
from tensorguard.family.sensitivity import SensitivityAnalysis
from tensorguard.family.sensitivity_comparison import SensitivityComparison, compare_sensitivity
from tensorguard.fingerprint.sensitivity import MIXTURE, SCORES
from tensorguard.reports.document import Document, Picture, Table

_READING = (
    "The published score, the norm of the gradient, is ||x|| whatever the weights are: it ranks input widths. "
    "Gain ||Wx|| / ||x|| and pullback ||W^T u|| depend on the weights."
)


def report(analyses: Sequence[SensitivityAnalysis], comparison: SensitivityComparison | None) -> Document:
    """Return the document of one call of `sensitivity`."""
    tables = [table for analysis in analyses for table in (_strategies(analysis), _extremes(analysis))]
    pictures = [
        Picture(
            f"sensitivity-{index + 1}",
            f"Scores of each layer of {quote(a.measured.name)} under each strategy.",
            partial(_draw, a),
        )
        for index, a in enumerate(analyses)
    ]
    if comparison:
        tables.insert(0, _agreement(comparison))
        caption = "Z-scores of the models by relative depth."
        pictures.insert(0, Picture("comparison", caption, partial(_draw_comparison, analyses, comparison.strategy)))
    return Document(
        kind="sensitivity",
        title="How strongly each layer answers",
        summary=_summary(analyses[0]) if len(analyses) == 1 else f"{len(analyses)} models, compared by role and depth.",
        result={"models": analyses, "comparison": comparison},
        settings={"asked": analyses[0].measured.settings},
        inputs=[{"model": analysis.measured.name} for analysis in analyses],
        skipped=[{"name": name, "reason": reason} for a in analyses for name, reason in a.measured.skipped],
        notices=(_READING,),
        tables=tables,
        pictures=pictures,
    )


def _summary(analysis: SensitivityAnalysis) -> str:
    strongest = analysis.findings["gain"][MIXTURE].top[0]
    where = "" if strongest.layer is None else f" of block {strongest.layer}"
    return (
        f"In {quote(analysis.measured.name)} {strongest.role}{where} amplifies its input most: gain {strongest.value:.3g}, "
        f"{strongest.z:.1f} standard deviations above the mean of {len(analysis.measured.layers)} layers."
    )


def _strategies(analysis: SensitivityAnalysis) -> Table:
    rows = [
        [score, strategy, found.variance, found.mixture_ratio, found.attention, found.other, found.attention_ratio]
        for score in SCORES
        for strategy, found in analysis.findings[score].items()
    ]
    headings = (
        "score",
        "strategy",
        "variance over layers",
        "mixture / this",
        "attention mean",
        "other mean",
        "attention / other",
    )
    return Table(
        f"Strategies on {quote(analysis.measured.name)}", headings, rows, "Mean over the repeats, variance over the layers."
    )


def _extremes(analysis: SensitivityAnalysis) -> Table:
    rows = []
    for score in SCORES:
        found = analysis.findings[score][MIXTURE]
        for end, layers in (("most", found.top), ("least", found.bottom)):
            rows += [[score, end, each.role, each.layer, each.value, each.z] for each in layers]
    headings = ("score", "sensitive", "role", "block", "value", "z")
    return Table(f"Most and least sensitive layers of {quote(analysis.measured.name)} (mixture)", headings, rows)


def _agreement(comparison: SensitivityComparison) -> Table:
    rows = [
        [comparison.models[each.first], comparison.models[each.second], each.by_layer, each.by_depth, each.places]
        for each in comparison.agreements
    ]
    headings = ("model", "model", "correlation by layer", "by relative depth", "places in common")
    return Table(f"Agreement of the models ({comparison.score}, {comparison.strategy})", headings, rows)


def _draw(analysis: SensitivityAnalysis) -> object:
    from tensorguard.reports.figures.sensitivity import draw_sensitivity

    return draw_sensitivity(analysis)


def _draw_comparison(analyses: Sequence[SensitivityAnalysis], strategy: str) -> object:
    from tensorguard.reports.figures.sensitivity_comparison import draw_sensitivity_comparison

    return draw_sensitivity_comparison(*(compare_sensitivity(analyses, strategy, score) for score in SCORES))
