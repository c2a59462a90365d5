"""A scan or a check as charts: findings and obligations to tick, relatives ranked, the best one's blocks, the family."""

from collections.abc import Sequence

from tensorguard.licences.audit import Audit, Finding, Severity
from tensorguard.licences.licence import licences
from tensorguard.licences.obligations import Obligation
from tensorguard.lineage.scan import Relative, Scan
from tensorguard.reports import lineage_charts
from tensorguard.reports.charts import Bar, Bars, Chart, Checklist, Facts, Headline, Item, Tone
from tensorguard.reports.family_chart import called, family
from tensorguard.reports.lineage_charts import CHANCE, EFFECT, TONES, WORDS, effect, measured, sure
from tensorguard.reports.wording import done, p_value

_RELATIVES = (
    "Known models that were compared in full, the most telling first. Open one to see what is known of it. p-values pay for all tests "
    "and for all known models that were searched."
)
_OBLIGATIONS = "What the licences of the ancestors ask. Tick what is done; ticks stay on this computer. Not legal advice."
_FINDINGS = "Where claims and weights part, the worst first. Tick what is put right; ticks stay on this computer."
_SEVERITY: dict[Severity, Tone] = {"error": "bad", "warning": "shared", "note": "unknown"}
_WORST: dict[Severity, Tone] = {"error": "bad", "warning": "shared", "note": "clear"}
_CLAIMS: dict[Severity, str] = {"error": "claims contradicted", "warning": "claims incomplete", "note": "nothing contradicted"}


def charts(audit: Audit) -> list[Chart]:
    """Return what a page explores, the most telling first."""
    scan = audit.scan
    made: list[Chart] = [*findings(audit.findings), *relatives(scan)]
    nearest = scan.best or (scan.others[0] if scan.others else None)
    if nearest is not None:
        made += lineage_charts.layer_map(scan.name, nearest.entry.name, nearest.lineage)
        if nearest.linked:
            made += lineage_charts.components(nearest.lineage)
    return [*made, *family(audit), *obligations(audit.obligations)]


def headline(audit: Audit) -> Headline:
    """Return the verdict, how sure it is, and what it rests on."""
    scan = audit.scan
    nearest = scan.best or (scan.others[0] if scan.others else None)
    facts = [("known models searched", f"{scan.searched:,}, {len(scan.relatives) + len(scan.others)} of them compared in full")]
    if nearest is not None:
        facts = [
            ("closest relative" if scan.best else "most alike", nearest.entry.name),
            ("how sure", sure(nearest.log10_p, nearest.lineage.how)),
            ("agreement of blocks", effect(nearest.lineage.effect)),
            *facts,
        ]
    if audit.obligations:
        facts.append(("duties", str(len({(each.licence, each.duty) for each in audit.obligations}))))
    word = _word(scan)
    if audit.claims is None:
        return Headline(word, TONES[scan.verdict], facts)
    worst = audit.findings[0].severity if audit.findings else "note"
    facts = [("findings", ", ".join(_counted(audit.findings)) or "none"), ("weights show", word), *facts]
    return Headline(_CLAIMS[worst], _WORST[worst], facts)


def _word(scan: Scan) -> str:
    if scan.best is None and scan.verdict == "independent":
        return "no relative found"
    backwards = scan.best is not None and scan.best.descends and scan.verdict == "derived" and scan.parents is None
    return "origin of a known model" if backwards else WORDS[scan.verdict]


def relatives(scan: Scan) -> list[Bars]:
    """Return relatives, then those compared that are none, ranked; empty if nothing was compared."""
    found = [*scan.relatives, *scan.others]
    title = "Relatives" if scan.relatives else "The most alike of the known models"
    return [Bars("relatives", title, _RELATIVES, (EFFECT, CHANCE), [_bar(each) for each in found])] if found else []


def obligations(found: Sequence[Obligation]) -> list[Checklist]:
    """Return the duties of all ancestors as a list to tick, each once; empty without any."""
    same: dict[tuple[str, str], list[Obligation]] = {}
    for each in found:
        same.setdefault((each.licence, each.duty.id if each.duty else ""), []).append(each)
    items = [_duty(group) for group in same.values()]
    return [Checklist("obligations", "Obligations", _OBLIGATIONS, items)] if items else []


def findings(found: Sequence[Finding]) -> list[Checklist]:
    """Return what to put right as a list to tick; empty without any."""
    items = [Item(f"{each.message}.", _SEVERITY[each.severity], f"{each.severity} {each.rule}", _said(each)) for each in found]
    return [Checklist("findings", "Findings", _FINDINGS, items)] if items else []


def _counted(found: Sequence[Finding]) -> list[str]:
    count = {word: sum(each.severity == word for each in found) for word in _SEVERITY}
    return [f"{number} {word}{'' if number == 1 else 's'}" for word, number in count.items() if number]


def _said(each: Finding) -> Facts:
    parts = (("claimed", each.claimed), ("shown", each.shown), ("what to do", each.fix), ("where", each.where))
    return [(name, text) for name, text in parts if text]


def _bar(each: Relative) -> Bar:
    lineage = each.lineage
    found = "not comparable" if lineage.effect is None else f"{lineage.effect:.2f}"
    chance = "certain" if lineage.how == "certain" else p_value(each.log10_p)
    texts = (f"{found}, {chance}", chance)
    return Bar(
        each.entry.name,
        measured(lineage.effect, each.log10_p),
        texts,
        TONES[lineage.verdict],
        called(each),
        about(each),
    )


def about(each: Relative) -> Facts:
    """Return what is known of a relative: measured first, then what people say."""
    lineage, facts = each.lineage, each.entry.facts
    known = licences().get(facts.licence)
    said = [
        ("verdict", called(each)),
        ("what was done", done(lineage) if lineage.verdict == "derived" else ""),
        ("made from the other", _made(each)),
        ("how sure", sure(each.log10_p, lineage.how)),
        ("agreement of blocks", effect(lineage.effect)),
        ("difference of weights", "" if each.distance is None else f"{each.distance:.2%}"),
        ("equal matrices", f"{lineage.identity.equal} of {lineage.identity.comparable}" if lineage.identity else ""),
        ("under the secret key", {True: "confirmed", False: "not confirmed", None: ""}[each.confirmed]),
        ("repository", facts.repository),
        ("revision", facts.revision),
        ("family", facts.family),
        ("publisher", facts.publisher),
        ("released", facts.released),
        ("licence", known.name if known else facts.licence),
        ("fingerprint", "made here from the weights" if each.entry.verified else "claimed by others, not verified"),
    ]
    return [(name, text) for name, text in said if text]


def _made(each: Relative) -> str:
    if each.lineage.verdict != "derived":
        return ""
    return {"first from second": "the model in question", "second from first": "the known one", "unknown": "does not show"}[
        each.lineage.direction
    ]


def _duty(group: Sequence[Obligation]) -> Item:
    first = group[0]
    known = licences().get(first.licence)
    licence = known.name if known else first.licence or "unknown licence"
    because = ", ".join(dict.fromkeys(each.ancestor for each in group))
    chains = dict.fromkeys(" → ".join((*each.through, each.ancestor)) for each in group if each.through)
    link = (
        "measured on weights" if any(each.measured for each in group) else "said by the registry or the catalogue, not measured"
    )
    facts = [("licence", licence), ("because of", because), ("by way of", "; ".join(chains)), ("link", link)]
    if first.duty is None:
        return Item(
            f"Read the licence of {because}: its duties are not known here.", "shared", licence, [f for f in facts if f[1]]
        )
    facts += [
        ("clause", first.duty.clause),
        ("exactly", first.duty.value),
        ("in the licence's words", first.duty.quote),
        ("text", known.source if known else ""),
        ("checked", known.checked if known else ""),
    ]
    return Item(first.duty.text, "linked", first.duty.kind, [each for each in facts if each[1]])
