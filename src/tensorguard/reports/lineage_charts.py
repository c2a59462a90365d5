"""One pair's lineage as charts: the answer in a word, the map of blocks, the components."""

from collections.abc import Sequence

from tensorguard.errors import quote
from tensorguard.lineage.calibration import ALARM, SMALLEST_DERIVED
from tensorguard.lineage.pair import Pair
from tensorguard.lineage.verdict import Component, Lineage, Status, Verdict
from tensorguard.reports import wording
from tensorguard.reports.charts import Bar, Bars, Chart, Facts, Headline, Heatmap, Measure, Panel, Tone
from tensorguard.signals.null_draws import SMALLEST_LOG10_P

TONES: dict[Verdict, Tone] = {
    "identical": "linked",
    "same-weights": "linked",
    "derived": "linked",
    "related": "linked",
    "shares-components": "shared",
    "independent": "clear",
    "inconclusive": "unknown",
}
WORDS: dict[Verdict, str] = {
    "identical": "identical",
    "same-weights": "the same weights",
    "derived": "derived",
    "related": "related",
    "shares-components": "common components",
    "independent": "independent",
    "inconclusive": "cannot be told",
}
HOW = {
    "certain": "certain: equal values",
    "exact": "a proven bound",
    "monte-carlo": "counted among draws of the null",
    "extrapolated": "extrapolated from draws of the null",
    "conditional": "rests on a measured constant",
    "none": "no test could be made",
}
_STATUS: dict[Status, Tone] = {"same": "linked", "linked": "linked", "independent": "clear", "inconclusive": "unknown"}
_BASES = {"fixed": "fixed basis", "words": "token space, by words", "ids": "token space, by numbers"}

EFFECT = Measure(
    "effect", 1.0, SMALLEST_DERIVED, f"from an effect of {SMALLEST_DERIVED:g} on models count as derived; 1 is a copy, 0 chance"
)
CHANCE = Measure("p-value", -SMALLEST_LOG10_P, -ALARM, f"beyond the line p < 1e{ALARM:.0f}: alarm", logarithmic=True)

_MAP = (
    "Every block of one model against every block of the other, by what it does to the residual stream. A bright ridge is the same "
    "blocks, a flat glow only one residual basis, dark nothing in common."
)
_COMPONENTS = "The largest effect of each component's tests. A part may come from elsewhere than the rest."


def charts(pair: Pair) -> list[Chart]:
    """Return the charts of one pair; empty where its fingerprints hold no sketches."""
    return [*layer_map(pair.first, pair.second, pair.lineage), *components(pair.lineage)]


def headline(lineage: Lineage) -> Headline:
    """Return the verdict on a pair, how sure it is, and how strong."""
    facts = [("how sure", sure(lineage.log10_p, lineage.how)), ("agreement of blocks", effect(lineage.effect))]
    if lineage.identity is not None:
        facts.append(("equal matrices", f"{lineage.identity.equal} of {lineage.identity.comparable}"))
    if lineage.evidence is not None:
        facts.append(("tests made", str(len(lineage.evidence.tests))))
    return Headline(WORDS[lineage.verdict], TONES[lineage.verdict], facts)


def sure(log10_p: float, how: str) -> str:
    """Return how sure a p-value is and how it was come by, in words."""
    return HOW["certain"] if how == "certain" else f"{wording.p_value(log10_p)}, {HOW.get(how, how)}"


def effect(value: float | None) -> str:
    """Return an effect in words."""
    return "not comparable" if value is None else f"{value:.2f} (1 is a copy, 0 chance)"


def layer_map(first: str, second: str, lineage: Lineage) -> list[Heatmap]:
    """Return the map of blocks, the basis that says most first; empty where no operator could be compared."""
    found = lineage.evidence
    if found is None or not found.similarity:
        return []
    bases = sorted(found.similarity, key=lambda basis: -found.excess[basis])
    rings = tuple((at, origin) for at, origin in enumerate(found.layers.origins) if origin is not None)
    panels = [
        Panel(
            f"{_BASES[basis]} (effect {found.excess[basis]:.2f})",
            found.similarity[basis],
            rings if basis == found.basis else (),
            found.path if basis == found.basis else (),
        )
        for basis in bases
    ]
    values = found.similarity[bases[0]]
    return [
        Heatmap(
            name="evidence",
            title="Map of the blocks",
            note=_MAP,
            row_title=f"block of {quote(first)}",
            column_title=f"block of {quote(second)}",
            rows=[str(at) for at in range(len(values))],
            columns=[str(at) for at in range(len(values[0]))],
            panels=panels,
            measure="mean cosine of the blocks' operators",
            mark="the same block" if rings else "",
            path="the best path through both models" if found.path else "",
        )
    ]


def components(lineage: Lineage) -> list[Bars]:
    """Return the components as bars; empty where nothing is known of them."""
    if not lineage.components:
        return []
    return [
        Bars("components", "Component by component", _COMPONENTS, (EFFECT, CHANCE), [_bar(each) for each in lineage.components])
    ]


def _bar(component: Component) -> Bar:
    name = "MLP" if component.name == "mlp" else component.name
    facts: Facts = (("status", component.status), ("how sure", sure(component.log10_p, component.how)))
    return Bar(
        name,
        measured(component.effect, component.log10_p),
        _texts(component),
        _STATUS[component.status],
        component.status,
        facts,
    )


def measured(effect: float | None, log10_p: float) -> Sequence[float | None]:
    """Return the lengths of a bar by `EFFECT` and `CHANCE`."""
    return (effect, -log10_p)


def _texts(component: Component) -> Sequence[str]:
    found = "not tested" if component.effect is None else f"{component.effect:.2f}"
    return (found, HOW["certain"] if component.how == "certain" else wording.p_value(component.log10_p))
