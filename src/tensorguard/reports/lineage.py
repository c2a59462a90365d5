"""The evidence of lineage as tables: components, kinds, layers, every test."""

from collections.abc import Iterator

from tensorguard.errors import quote
from tensorguard.lineage.evidence import Evidence
from tensorguard.lineage.layer_map import Origins
from tensorguard.lineage.pair import Pair
from tensorguard.reports import identities
from tensorguard.reports.document import Cell, Table

FLOOR = (
    "p-values are corrected for all tests of the pair (Bonferroni) and given as log10; before that none is given below -300."
)

_HOW = (
    f"{FLOOR} How: exact = a bound that is proven; monte-carlo = counted among draws of the null; extrapolated = from the spread of "
    "these draws; conditional = resting on a measured constant: how much meaning independent models share, or how unevenly their "
    "dimensions count. Effects are excesses over the null."
)
_RELATIVE = (
    "What points from one model to the other is what was lost or built. A relative of the parent shows the same: the quantised copy of a "
    "base seems to derive from the base's fine-tunes, too. tensorguard tree looks for the closest of several."
)
_NONE = "none"
_SIGNALS = (
    "Signal, basis of the residual stream, component. "
    "operators: what blocks do to the residual stream, along the best path; reordered: the same, blocks in any order; anchors: rows of "
    "common tokens; correlation: matrices in the same place; sample: the first rows of matrices in the same place; units: neurons that "
    "read alike and have the same number."
)


def tables(pair: Pair) -> list[Table]:
    """Return what a reader is shown of one pair's evidence, the most telling first."""
    lineage = pair.lineage
    made = [_components(pair)] if lineage.components else []
    if lineage.kinds and lineage.verdict == "derived":
        made.append(_kinds(pair))
    if lineage.evidence is not None and any(origin is not None for origin in lineage.evidence.layers.origins):
        made.append(_layers(pair, lineage.evidence))
    if lineage.identity is not None and lineage.identity.equal:
        made.append(identities.table(pair.first, pair.second, lineage.identity))
    return [*made, _tests(pair)] if lineage.evidence is not None else made


def runs(origins: Origins) -> Iterator[tuple[str, str]]:
    """Yield runs of blocks and where each comes from: `("0-11", "0-11"), ("12-19", "16-23"), ("20", "none")`."""
    start = 0
    while start < len(origins):
        stop, step = start + 1, _step(origins, start)
        while stop < len(origins) and _continues(origins[stop - 1], origins[stop], step):
            stop += 1
        first, last = origins[start], origins[stop - 1]
        yield _span(start, stop - 1), _NONE if first is None or last is None else _span(first, last)
        start = stop


def _step(origins: Origins, start: int) -> int:
    """Return whether a run counts up or down."""
    pair = origins[start : start + 2]
    return -1 if len(pair) == 2 and None not in pair and pair[1] == (pair[0] or 0) - 1 else 1


def _continues(before: int | None, after: int | None, step: int) -> bool:
    return after is None if before is None else after == before + step


def _span(first: int, last: int) -> str:
    return f"{first}" if first == last else f"{first}-{last}"


def _components(pair: Pair) -> Table:
    rows: list[list[Cell]] = [
        [
            each.name,
            each.status,
            None if each.effect is None else round(each.effect, 3) + 0.0,
            round(each.log10_p, 1) + 0.0,
            each.how,
        ]
        for each in pair.lineage.components
    ]
    return Table("Component by component", ("component", "status", "effect", "log10 p", "how"), rows, _HOW)


def _kinds(pair: Pair) -> Table:
    made = {0: quote(pair.first), 1: quote(pair.second), None: "cannot be told"}
    rows: list[list[Cell]] = [[each.name, each.reason, made[each.child]] for each in pair.lineage.kinds]
    note = "" if pair.lineage.direction == "unknown" else _RELATIVE
    return Table("What was done", ("kind", "what shows it", "to make"), rows, note)


def _layers(pair: Pair, found: Evidence) -> Table:
    layers, sampled = found.layers, found.sampled is not None
    rows: list[list[Cell]] = [list(run) for run in runs(layers.origins) if not (sampled and run[1] == _NONE)]
    order = "those that were read whole" if sampled else f"in order: {', '.join(layers.changes)}"
    note = f"Blocks are counted from 0, {order}."
    return Table("Layer map", (f"blocks of {quote(pair.first)}", f"are blocks of {quote(pair.second)}"), rows, note)


def _tests(pair: Pair) -> Table:
    found = pair.lineage.evidence
    rows: list[list[Cell]] = []
    for each in found.tests if found else ():
        test = each.test
        numbers = [round(value, 3) + 0.0 for value in (test.statistic, test.null_mean, test.excess)]
        name = f"{each.signal} {each.basis} {each.component}"
        rows.append([name, *numbers, round(test.z, 1) + 0.0, round(each.corrected, 1) + 0.0, test.how])
    headings = ("test", "value", "null mean", "excess", "z", "log10 p", "how")
    return Table("Every test", headings, rows, _SIGNALS)
