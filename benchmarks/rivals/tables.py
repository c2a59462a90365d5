"""A side-by-side as text."""

import math
from collections.abc import Mapping, Sequence

from benchmarks.rivals.scoring import wilson
from benchmarks.rivals.summary import Rate, Summary

_MEBIBYTE = 2**20


def render(summaries: Mapping[str, Summary], not_run: Mapping[str, str]) -> str:
    """Return the tables: overall, what it took, groups of pairs, transformations."""
    parts = [_overall(summaries), _costs(summaries)]
    if any(summary.by_group for summary in summaries.values()):
        parts += [_groups(summaries), _transformations(summaries)]
    parts += [f"not run: {name}: {reason}" for name, reason in not_run.items()]
    return "\n\n".join(part for part in parts if part)


def _overall(summaries: Mapping[str, Summary]) -> str:
    head = ["rival", "AUC [95 %]", "TPR, no false link", "TPR above twins", "own TPR", "own FPR", "abstained linked / unlinked"]
    rows = [
        [
            name,
            f"{each.auc:.3f}" + ("" if math.isnan(each.auc_interval[0]) else " [{:.3f}, {:.3f}]".format(*each.auc_interval)),
            _rate(each.found),
            _rate(each.found_above_twins),
            _rate(each.own_found),
            _rate(each.own_false),
            ", ".join(f"{rate.count}/{rate.of}" for rate in each.abstained.values()),
        ]
        for name, each in summaries.items()
    ]
    return _table(head, rows)


def _costs(summaries: Mapping[str, Summary]) -> str:
    head = ["rival", "s/model", "s/pair", "start-up s", "peak MiB", "of it at start", "bytes/model", "models failed"]
    rows = []
    for name, each in summaries.items():
        cost = each.costs
        rows.append(
            [
                name,
                f"{cost['seconds_per_model']:.3g}",
                f"{cost['seconds_per_pair']:.2g}",
                f"{cost['seconds_start_up']:.2g}",
                f"{cost['peak_memory'] / _MEBIBYTE:.0f}",
                f"{cost['memory_at_start'] / _MEBIBYTE:.0f}",
                "-" if math.isnan(cost["bytes_per_model"]) else f"{cost['bytes_per_model']:,.0f}",
                f"{cost['models_failed']:.0f}/{cost['models']:.0f}",
            ]
        )
    return _table(head, rows)


def _groups(summaries: Mapping[str, Summary]) -> str:
    names = list(dict.fromkeys(group for each in summaries.values() for group in each.by_group))
    rows = [[group, *(_group_cell(each, group) for each in summaries.values())] for group in names]
    return _table(["pairs: median / largest score, called linked", *summaries], rows)


def _group_cell(summary: Summary, group: str) -> str:
    found = summary.by_group[group]
    if found["median"] is None:
        return "abstained"
    called = "" if found["own"] is None else f", {found['own']['count']}/{found['own']['of']}"
    return f"{found['median']:.3g} / {found['largest']:.3g}{called}"


def _transformations(summaries: Mapping[str, Summary]) -> str:
    names = sorted({name for each in summaries.values() for name in each.by_transformation})
    if not names:
        return ""
    rows = [[name, *(_transformation_cell(each, name) for each in summaries.values())] for name in names]
    return _table(["found without a false link (own threshold)", *summaries], rows)


def _transformation_cell(summary: Summary, name: str) -> str:
    found = summary.by_transformation[name]
    own = "" if found["own"] is None else f" ({found['own']['count']})"
    silent = f" abst. {found['abstained']}" if found["abstained"] else ""
    return f"{found['found']['count']}/{found['found']['of']}{own}{silent}"


def _rate(rate: Rate | None) -> str:
    if rate is None or not rate.of:
        return "-"
    low, high = wilson(rate.count, rate.of)
    return f"{rate.count / rate.of:.3f} [{low:.3f}, {high:.3f}]"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines]
    return "\n".join([text[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *text[1:]])
