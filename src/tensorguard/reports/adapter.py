"""What `adapter` tells: two adapters, an adapter in a model, or the bases that an adapter fits."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tensorguard.errors import quote
from tensorguard.lineage.adapted.contained import Containment
from tensorguard.lineage.adapted.layers import ANSWERS, Correspondence
from tensorguard.lineage.adapted.pair import ALARM, AdapterPair
from tensorguard.reports.charts import Headline, Tone
from tensorguard.reports.document import Cell, Document, Table
from tensorguard.reports.wording import p_value

if TYPE_CHECKING:
    from tensorguard.api.adapters import Adapter, Candidate

_MOST = 50
_WORTH = -1.0
"""log10 p above which the closest base is not named: chance names one as well."""

_LAYERS = (
    "The test of layers: do the inner directions of the adapter's layer i (heads, neurons) lie where those of layer i of the other lie, "
    "more than where those of its other layers lie? Under the null, another base, permuting layers changes nothing."
)
_SHARPER = "A fingerprint keeps little of what this needs: the whole weights of a model tell far more (tensorguard adapter ADAPTER MODEL)."
_RELATED = {
    "identical": "are identical: equal factors, equal scales",
    "same-weights": "add the same up to rounding",
    "derived": "are one adapter at two times: one was trained on, or both come from one run",
    "same-start": "began from the same random numbers (one seed), and were trained apart",
    "independent": "were trained independently of each other",
    "inconclusive": "cannot be told apart from independent ones, nor from derived ones",
}
_IN_MODEL = {
    "merged": "is merged into",
    "same-direction": "is in part in",
    "base": "is not in",
    "not-merged": "is not in",
    "inconclusive": "may be in",
}
_WORDS = {
    "strong": "strong: the base or a relative",
    "fair": "fair: the base or a relative",
    "dimensions": "weak: dimensions only",
    "none": "none",
}
_TONES: dict[str, Tone] = {
    "identical": "linked",
    "same-weights": "linked",
    "derived": "linked",
    "merged": "linked",
    "same-start": "shared",
    "same-direction": "shared",
    "base": "shared",
    "independent": "clear",
    "not-merged": "clear",
    "inconclusive": "unknown",
    "base found": "linked",
    "dimensions only": "unknown",
    "no base": "clear",
}


def pair_report(first: "Adapter", second: "Adapter", found: AdapterPair) -> Document:
    """Return the document of two adapters."""
    summary = f"{quote(first.name)} and {quote(second.name)} {_RELATED[found.verdict]}{_start(found)}."
    if found.verdict in ("same-start", "independent", "inconclusive"):
        summary += f" {_one_base(found.layers)}"
    facts: list[list[Cell]] = [
        ["common matrices", len(found.matrices)],
        ["only in the first, only in the second", f"{found.only[0]}, {found.only[1]}"],
        ["cosine of what they add", _rounded(found.cosine)],
        ["relative difference", _rounded(found.difference)],
        ["mean cosine of A as it stands", _rounded(found.start)],
        ["log10 p of that, at most", round(found.start_log10_p, 1) + 0.0],
        ["layers answer: z", _z(found.layers)],
        ["log10 p of that", round(found.layers.log10_p, 1) + 0.0],
    ]
    rows: list[list[Cell]] = [
        [
            each.role,
            each.layer,
            f"{each.ranks[0]}, {each.ranks[1]}",
            _rounded(each.cosine),
            _rounded(each.difference),
            _rounded(each.rows),
            _rounded(each.columns),
            _rounded(each.start),
        ]
        for each in found.matrices
    ]
    columns = ("role", "layer", "ranks", "cosine", "difference", "row spaces", "column spaces", "A as it stands")
    note = "Exact, by the factors. Spaces: mean squared cosine of the principal angles; independent ones have rank / width."
    tables = [Table("What was found", ("measure", "value"), facts, _LAYERS), Table("Matrix by matrix", columns, rows, note, 2)]
    result = {"adapter": first.name, "other": second.name, "pair": found, "model": None, "bases": None}
    return _document(first, summary, result, tables, found.verdict, (first, second))


def model_report(adapter: "Adapter", model: str, base: str | None, found: Containment) -> Document:
    """Return the document of an adapter and a whole model."""
    summary = f"{quote(adapter.name)} {_IN_MODEL[found.verdict]} {quote(model)}"
    if found.share is not None and found.low is not None and found.high is not None:
        summary += f": {found.share:.2f} of it (99 % interval {found.low:.2f} to {found.high:.2f})"
    if found.explained is not None:
        summary += f", which explains {found.explained:.0%} of what the model is beyond its base"
    # Without the base, what was merged in lies where it lies itself: that layers answer says nothing then.
    summary += "." if base is None and found.verdict in ("merged", "same-direction") else f". {_its_base(found.layers)}"
    rows: list[list[Cell]] = [[s.role, s.layer, _rounded(s.share), _rounded(s.explained)] for s in found.matrices]
    note = "Share: 1 where what the adapter adds was added once. Explained: squared cosine with the model's difference from the base."
    tables = [
        Table(
            "What was found",
            ("measure", "value"),
            [
                ["matrices", len(found.matrices)],
                ["places that the model does not have", found.missing],
                ["layers answer: z", _z(found.layers)],
                ["log10 p of that", round(found.layers.log10_p, 1) + 0.0],
            ],
            _LAYERS,
        ),
        Table("Matrix by matrix", ("role", "layer", "share", "explained"), rows, note, 2),
    ]
    result = {"adapter": adapter.name, "other": model, "pair": None, "model": found, "bases": None}
    return _document(adapter, summary, result, tables, found.verdict, (adapter,), [model] if base is None else [model, base])


def bases_report(adapter: "Adapter", found: Sequence["Candidate"]) -> Document:
    """Return the document of an adapter held against a registry."""
    fitting = [each for each in found if each.fit.fits]
    entries = f"{len(found):,} model{'' if len(found) == 1 else 's'} of the registry"
    if not fitting:
        summary, word = f"{quote(adapter.name)} fits none of {entries}.", "no base"
    elif fitting[0].answers:
        summary, word = (
            f"{_found(adapter.name, fitting)} By dimensions alone {len(fitting):,} of {entries} would do.",
            "base found",
        )
    else:
        summary = (
            f"Dimensions only, which is weak: {len(fitting):,} of {entries} {'fits' if len(fitting) == 1 else 'fit'} "
            f"{quote(adapter.name)}, as every model of that shape does, and their fingerprints do not tell which{_closest(fitting[0])}."
        )
        word = "dimensions only"
    rows: list[list[Cell]] = [
        [
            each.name,
            each.fit.checked,
            _z(each.layers) if each.layers else None,
            round(each.log10_p, 1) + 0.0,
            _WORDS[each.strength],
        ]
        for each in fitting[:_MOST]
    ]
    strangers = [each for each in found if not each.fit.fits]
    others: list[list[Cell]] = [[each.name, each.fit.reason] for each in strangers[:_MOST]]
    tables = (
        [Table("Bases that fit", ("model", "matrices", "z", "log10 p", "how strong"), rows, f"{_LAYERS} {_SHARPER}")]
        if rows
        else []
    )
    if others:
        more = len(strangers) - len(others)
        tables.append(
            Table("Bases that do not fit", ("model", "why"), others, f"{more} more; --json lists all." if more else "")
        )
    result = {"adapter": adapter.name, "other": None, "pair": None, "model": None, "bases": [_machine(each) for each in found]}
    claim = _claim(adapter.named_base, found) if adapter.named_base else ""
    return _document(adapter, summary + claim, result, tables, word, (adapter,))


def _found(name: str, fitting: Sequence["Candidate"]) -> str:
    """Say which base answers, and how far behind those are that do not."""
    best = fitting[0]
    others = [z for each in fitting if not each.answers and each.layers and (z := _z(each.layers)) is not None]
    behind = f", the next that does not answer has {max(others)}" if others else ""
    z = _z(best.layers) if best.layers else None
    how = f"{p_value(best.log10_p)}, corrected for {len(fitting):,} that fit; z = {z}{behind}"
    return f"{quote(name)} was trained on {quote(best.name)} or a relative of it ({how})."


def _closest(best: "Candidate") -> str:
    """Say which base is closest, and how often chance brings one as close."""
    z = _z(best.layers) if best.layers else None
    if z is None or best.log10_p > _WORTH:
        return ""
    return f" for sure: {quote(best.name)} is closest (z = {z}), and chance brings one as close in {10**best.log10_p:.1%} of such searches"


def _claim(named: str, found: Sequence["Candidate"]) -> str:
    """Say what the configuration names, and whether the registry's model of that name goes with it."""
    meant = next((each for each in found if each.name.casefold() == named.casefold()), None)
    said = f" Its configuration names {quote(named)}"
    if meant is None:
        return f"{said}."
    if not meant.fit.fits:
        return f"{said}, which it does not fit: {meant.fit.reason}."
    return f"{said}, which {'answers' if meant.answers else 'fits by dimensions'}."


def _document(
    adapter: "Adapter",
    summary: str,
    result: object,
    tables: Sequence[Table],
    word: str,
    adapters: Sequence["Adapter"],
    models: Sequence[str] = (),
) -> Document:
    locations = [*(each.location for each in adapters), *models]
    return Document(
        kind="adapter",
        title=f"The adapter {quote(adapter.name)}",
        summary=summary,
        result=result,
        inputs=[{"model": place} for place in locations],
        notices=[notice for each in adapters for notice in each.notices],
        tables=tables,
        headline=Headline(word, _TONES[word]),
    )


def _machine(candidate: "Candidate") -> dict[str, object]:
    return {
        "name": candidate.name,
        "fits": candidate.fit.fits,
        "reason": candidate.fit.reason,
        "checked": candidate.fit.checked,
        "layers": candidate.layers,
        "log10_p": candidate.log10_p,
        "answers": candidate.answers,
        "strength": candidate.strength,
    }


def _start(found: AdapterPair) -> str:
    if found.start is None or found.start_log10_p >= ALARM:
        return ""
    return f" (their A agree, cosine {found.start:.2f}, {p_value(found.start_log10_p)}, exact)"


def _one_base(layers: Correspondence) -> str:
    if layers.test is None:
        return "Too few layers to tell whether their bases are one."
    if layers.log10_p < ANSWERS:
        return f"They were trained on one base, or on relatives ({p_value(layers.log10_p)})."
    return "Nothing says that they were trained on one base."


def _its_base(layers: Correspondence) -> str:
    if layers.test is None:
        return "Too few layers to tell whether it was trained on this model or a relative."
    if layers.log10_p < ANSWERS:
        return f"It was trained on this model or a relative ({p_value(layers.log10_p)})."
    return "Nothing says that it was trained on this model or a relative."


def _z(layers: Correspondence) -> float | None:
    return round(layers.test.z, 1) + 0.0 if layers.test else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3) + 0.0
