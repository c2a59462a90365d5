"""The answer of a scan in a few sentences: what a model is derived from, how sure that is, and what it obliges to."""

from collections.abc import Sequence

from tensorguard.errors import quote
from tensorguard.licences.audit import Audit
from tensorguard.licences.licence import Duty, DutyKind, licences
from tensorguard.licences.obligations import Obligation
from tensorguard.lineage.scan import Relative, Scan
from tensorguard.reports.parents import weights_sentence
from tensorguard.reports.wording import components_sentence, coverage, done, p_value

_FIRST: tuple[DutyKind, ...] = (
    "non-commercial", "name", "display", "same-licence", "use-restrictions", "pass-on-terms", "outputs", "threshold",
)  # fmt: skip
"""Duties in the order in which they matter to most who derive: what forbids, then what is most often forgotten."""

_NAMED = 2
"""Duties that the answer spells out."""

NOTHING = (
    "No relative found does not mean trained from scratch: its base may not be in the registry, a model distilled into fresh weights "
    "keeps no trace of its teacher, and new embeddings together with a permuted or rotated residual stream hide from fingerprints "
    "(tensorguard compare --deep with a suspected base finds that)."
)
PUBLIC = (
    "The probes are public, so agreement can be forged or erased by whoever takes the trouble: confirm what would accuse somebody with "
    "fingerprints of a secret key (--key-file, kept in the registry) or by tensorguard compare --deep."
)
ADVICE = "Obligations are facts about licence texts with their source, as far as they were checked; not legal advice."


def answer(audit: Audit) -> str:
    """Return the answer: descent, then obligations."""
    return " ".join(each for each in (descent(audit.scan), obliges(audit.obligations)) if each)


def limits(scan: Scan) -> list[str]:
    """Return what limits the answer: how much of the model was read, and what happened on the way."""
    return [*([] if scan.coverage is None else [coverage(scan.name, scan.coverage)]), *scan.notices]


def descent(scan: Scan) -> str:
    """Return what a model is derived from and how sure that is."""
    best, name = scan.best, quote(scan.name)
    among = f"{scan.searched:,} known model{'s' if scan.searched != 1 else ''}"
    if scan.searched == 0:
        return f"Nothing can be said of {name}: the registry knows no model to compare it with."
    if best is None:
        nearest = scan.others[0] if scan.others else None
        if nearest is None:
            return f"Nothing can be said of {name}: none of {among} has anything that it could be compared by."
        if scan.verdict == "independent":
            return f"No relative of {name} among {among}: the most alike, {quote(nearest.entry.name)}, shows no relation to it."
        return f"No relative of {name} is shown among {among}, and none is excluded: {_unclear(nearest)}."
    if scan.verdict == "inconclusive":
        said = "public fingerprints are alike, those under the secret key are not: the likeness may be forged"
        return f"{name} resembles {quote(best.entry.name)}, but that is not confirmed: {said}."
    sure = _confirmed(best)
    if scan.parents is None:
        return f"{_relation(name, best, among)}{sure}."
    merge = weights_sentence(scan.name, scan.parents)
    if scan.parents.method == "sparse":
        return f"{_relation(name, best, among)}{sure}. {merge} Training on data like theirs looks the same."
    return f"{merge} {_closest(best, among)}{sure}."


def obliges(found: Sequence[Obligation]) -> str:
    """Return what licences oblige to, the heaviest duties of each spelt out; empty if there is nothing to say."""
    said = []
    heavy = sorted(found, key=lambda each: _weight(each.duty) if each.duty else 0)
    for licence in dict.fromkeys(each.licence for each in heavy):
        mine = [each for each in found if each.licence == licence]
        ancestors = list(dict.fromkeys(quote(each.ancestor) for each in mine))
        whose = ancestors[0] + (f" and {len(ancestors) - 1} more" if len(ancestors) > 1 else "")
        known = licences().get(licence)
        called = known.name if known else quote(licence) if licence else "nobody says which"
        duties = list({each.duty.id: each.duty for each in mine if each.duty is not None}.values())
        if not duties:
            said.append(f"The licence of {whose} ({called}) has to be read: its duties are not known here.")
            continue
        heaviest = sorted(duties, key=_weight)[:_NAMED]
        texts = "; ".join(each.text.rstrip(".") for each in heaviest)
        more = f"; and {len(duties) - len(heaviest)} more" if len(duties) > len(heaviest) else ""
        said.append(f"{called} (of {whose}) obliges you: {texts}{more}.")
    return " ".join(said)


def _weight(duty: Duty) -> int:
    return _FIRST.index(duty.kind) if duty.kind in _FIRST else len(_FIRST)


def _relation(name: str, best: Relative, among: str) -> str:
    known, lineage = quote(best.entry.name), best.lineage
    match lineage.verdict:
        case "identical":
            return f"{name} is {known}: every tensor has the same name, shape and values (certain)"
        case "same-weights":
            return f"{name} holds the weights of {known}, repackaged: all trained matrices are equal (certain)"
        case "derived" if best.descends:
            return f"{known} derives from {name}, not the other way round: {done(lineage)}; {_surely(best, among)}"
        case "derived":
            or_relative = (
                " or a close relative of it" if lineage.direction == "first from second" else " or shares a parent with it"
            )
            return f"{name} derives from {known}{or_relative}: {done(lineage)}; {_surely(best, among)}"
        case "related":
            return f"{name} and {known} are related: one residual basis, but other blocks; {_surely(best, among)}"
        case _:
            equal = lineage.how == "certain" and lineage.identity is not None and lineage.identity.equal
            sure = f"found among {among}" if equal else _surely(best, among)  # the components say how many are equal
            return f"{name} shares components with {known}: {components_sentence(lineage)}; {sure}"


def _closest(best: Relative, among: str) -> str:
    return f"The closest of them is {quote(best.entry.name)}; {_surely(best, among)}"


def _surely(best: Relative, among: str) -> str:
    if best.lineage.how == "certain" and best.lineage.identity is not None:
        found = best.lineage.identity
        return f"{found.equal} of {found.comparable} trained matrices are equal (certain), found among {among}"
    return f"{p_value(best.log10_p)} ({best.lineage.how}), corrected for all tests and {among}"


def _confirmed(best: Relative) -> str:
    return "; confirmed under the secret key" if best.confirmed else ""


def _unclear(nearest: Relative) -> str:
    return f"{quote(nearest.entry.name)} is the most alike, {p_value(nearest.log10_p)} is no proof of it"
