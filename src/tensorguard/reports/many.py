"""Many models pair by pair: a matrix of verdicts, one of effects, and who is linked to whom."""

import math
from collections import Counter
from collections.abc import Sequence

from tensorguard.lineage.pair import Pair
from tensorguard.lineage.verdict import LINKED, Verdict
from tensorguard.reports import wording
from tensorguard.reports.document import Cell, Picture, Table
from tensorguard.reports.effects import Effects, effects
from tensorguard.reports.lineage import FLOOR

_MARKS: dict[Verdict, str] = {
    "identical": "=",
    "same-weights": "=",
    "derived": "D",
    "related": "R",
    "shares-components": "c",
    "independent": ".",
    "inconclusive": "?",
}
_KEY = (
    "= the same weights, D derived, R related, c common components, . independent, ? inconclusive; columns by number. "
    "Models that resemble each other stand together."
)
_MOST_SHOWN, _MOST_NUMBERED = 30, 12


def sentence(pairs: Sequence[Pair]) -> str:
    """Return how many pairs are related how."""
    count = Counter(pair.lineage.verdict for pair in pairs)
    models = len({name for pair in pairs for name in (pair.first, pair.second)})
    linked = sum(count[verdict] for verdict in LINKED)
    counts = ", ".join(f"{count[verdict]} {verdict}" for verdict in _MARKS if count[verdict])
    said = (
        f"{linked} of the {len(pairs)} pairs of {models} models are"
        if linked != 1
        else f"1 of the {len(pairs)} pairs of {models} models is"
    )
    return f"{said} of one family ({counts})."


def tables(pairs: Sequence[Pair]) -> list[Table]:
    """Return the matrix of verdicts, and the list of pairs that have something in common."""
    if not pairs:
        return []
    found = effects(pairs)
    verdicts = [_verdicts(found.names, pairs)] if len(found.names) <= _MOST_SHOWN else []
    return [*verdicts, *([_effects(found)] if len(found.names) <= _MOST_NUMBERED else []), linked(pairs)]


def pictures(pairs: Sequence[Pair]) -> list[Picture]:
    """Return the clustered heat map of effects."""
    if not pairs:
        return []

    def draw() -> object:
        from tensorguard.reports.figures.heatmap import draw_effects

        return draw_effects(effects(pairs))

    return [Picture("effects", "How alike the blocks of each two models act: 1 is a copy, 0 chance.", draw)]


def linked(pairs: Sequence[Pair]) -> Table:
    """Return the table of pairs that have something in common."""
    rows: list[list[Cell]] = []
    for pair in pairs:
        found = pair.lineage
        if found.verdict in LINKED or found.verdict == "shares-components":
            done = wording.done(found) if found.verdict == "derived" else ""
            equal = f"{found.identity.equal} of {found.identity.comparable}" if found.identity and found.identity.equal else ""
            rows.append(
                [
                    pair.first,
                    pair.second,
                    found.verdict,
                    done,
                    wording.child(pair),
                    found.effect,
                    equal,
                    round(found.log10_p, 1) + 0.0,
                    found.how,
                ]
            )
    headings = (
        "model",
        "model",
        "verdict",
        "what was done",
        "child",
        "effect",
        "equal matrices",
        "log10 p",
        "how",
    )
    return Table("Pairs that have something in common", headings, rows, FLOOR, keys=2)


def machine(pair: Pair) -> dict[str, object]:
    """Return one pair in short, for machines."""
    found = pair.lineage
    return {
        "first": pair.first,
        "second": pair.second,
        "verdict": found.verdict,
        "kinds": found.kinds,
        "direction": found.direction,
        "log10_p": found.log10_p,
        "how": found.how,
        "effect": found.effect,
        "components": found.components,
        "equal": found.identity.equal if found.identity else None,
        "comparable": found.identity.comparable if found.identity else None,
    }


def _verdicts(names: Sequence[str], pairs: Sequence[Pair]) -> Table:
    marks = {frozenset((pair.first, pair.second)): _MARKS[pair.lineage.verdict] for pair in pairs}
    rows: list[list[Cell]] = [
        [str(at + 1), name, *("" if other == name else marks.get(frozenset((name, other)), "") for other in names)]
        for at, name in enumerate(names)
    ]
    return Table("Verdicts", ("", "model", *(str(at + 1) for at in range(len(names)))), rows, _KEY)


def _effects(found: Effects) -> Table:
    rows: list[list[Cell]] = [
        [str(at + 1), name, *(None if math.isnan(value) else round(value, 3) + 0.0 for value in found.values[at].tolist())]
        for at, name in enumerate(found.names)
    ]
    headings = ("", "model", *(str(at + 1) for at in range(len(found.names))))
    return Table("Effects", headings, rows, "How alike blocks act: 1 is a copy, 0 chance, - not comparable.")
