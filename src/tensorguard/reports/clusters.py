"""What `cluster` tells: families, how right they are, how good a threshold is, and the paper's strategies side by side."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from tensorguard.family.clustering import Clustering
from tensorguard.family.comparison import StrategyResult
from tensorguard.family.thresholds import Threshold
from tensorguard.reports.document import Cell, Document, Picture, Table
from tensorguard.reports.similarity import LIMITS


def report(clustering: Clustering, strategies: Sequence[StrategyResult]) -> Document:
    """Return the document of one clustering."""
    tables = [_families(clustering)]
    if clustering.accuracy:
        tables.append(_wrong(clustering))
    if strategies:
        tables.append(_strategies(strategies))
    tables.append(_thresholds(clustering))
    pictures = [
        Picture("families", "The models on the first two principal components; stars are bases.", partial(_scatter, clustering))
    ]
    if strategies:
        caption = "The five strategies side by side, as in the paper's figure 6."
        pictures.append(Picture("strategies", caption, partial(_panels, clustering, strategies)))
        pictures.append(Picture("accuracies", "Accuracy of each strategy, ours and the paper's.", partial(_bars, strategies)))
    return Document(
        kind="cluster",
        title="Families",
        summary=_summary(clustering),
        result={"clustering": clustering, "accuracy": _accuracy(clustering), "strategies": strategies},
        settings={
            "strategy": clustering.settings.strategy,
            "include_size": clustering.settings.include_size,
            "columns": clustering.space.columns,
            "specification": clustering.specification,
        },
        inputs=[{"model": member.name} for member in clustering.members],
        notices=(*clustering.notices, LIMITS),
        tables=tables,
        pictures=pictures,
    )


def _summary(clustering: Clustering) -> str:
    models, families = len(clustering.members), len(clustering.families)
    said = f"{models} models in {families} families."
    if clustering.accuracy:
        found = clustering.accuracy
        said += (
            f" {found.right_derivatives} of {found.derivatives} derivatives ({found.of_derivatives:.0%}) are in the right one."
        )
    return said


def _accuracy(clustering: Clustering) -> dict[str, Any] | None:
    found = clustering.accuracy
    if found is None:
        return None
    return {
        "right": found.right_derivatives,
        "derivatives": found.derivatives,
        "of_derivatives": found.of_derivatives,
        "of_all": found.of_all,
        "mapping": "by initial centroid",
        "wrong": found.wrong,
    }


def _families(clustering: Clustering) -> Table:
    rows: list[list[Cell]] = []
    for family in clustering.families:
        members = [member for member in clustering.members if member.family == family]
        farthest = max((member.distance for member in members), default=None)
        names = ", ".join(member.name for member in members if member.name != family)
        rows.append([family, len(members), farthest, names])
    note = "Each family is named after the base its centroid started from."
    return Table("Families", ("family", "models", "farthest", "members"), rows, note)


def _wrong(clustering: Clustering) -> Table:
    wrong = clustering.accuracy.wrong if clustering.accuracy else ()
    rows: list[list[Cell]] = [[each.name, each.label, each.family or "none"] for each in wrong]
    return Table("In the wrong family", ("model", "true base", "put into"), rows)


def _strategies(strategies: Sequence[StrategyResult]) -> Table:
    rows: list[list[Cell]] = [
        [
            each.strategy,
            each.space,
            f"{each.accuracy.right_derivatives} of {each.accuracy.derivatives}",
            f"{each.accuracy.of_derivatives:.0%}",
            f"{each.accuracy.of_all:.0%}",
            "-" if each.spread is None else f"{each.spread[0]} to {each.spread[1]}",
            f"{each.paper:.0%}",
            each.mapping,
        ]
        for each in strategies
    ]
    headings = (
        "strategy",
        "space",
        "derivatives right",
        "of derivatives",
        "of all",
        "over 10 seeds",
        "paper's Table I",
        "mapping",
    )
    note = (
        "The paper leaves settings, mapping and denominators of its rivals unstated, so its column is not the same experiment."
    )
    return Table("Five strategies", headings, rows, note)


def _thresholds(clustering: Clustering) -> Table:
    kinds = (("the paper's", clustering.paper_threshold), ("leave one family out", clustering.leave_one_family_out))
    rows: list[list[Cell]] = [[name, *_errors(threshold)] for name, threshold in kinds if threshold]
    headings = ("threshold", "distance", "members rejected", "strangers accepted")
    note = "A stranger is a model whose whole family was left out. The second threshold was chosen on these very distances."
    return Table("Out of cluster", headings, rows, note)


def _errors(threshold: Threshold) -> list[str | float]:
    return [
        threshold.value,
        f"{threshold.members_rejected} of {threshold.members} ({threshold.false_rejection_rate:.0%})",
        f"{threshold.strangers_accepted} of {threshold.strangers} ({threshold.false_acceptance_rate:.0%})",
    ]


def _scatter(clustering: Clustering) -> object:
    from tensorguard.reports.figures.scatter import draw_scatter

    return draw_scatter(clustering)


def _panels(clustering: Clustering, strategies: Sequence[StrategyResult]) -> object:
    from tensorguard.reports.figures.strategies import draw_strategies

    return draw_strategies(clustering, strategies)


def _bars(strategies: Sequence[StrategyResult]) -> object:
    from tensorguard.reports.figures.strategies import draw_accuracies

    return draw_accuracies(strategies)
