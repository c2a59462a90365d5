"""What a model claims against what its weights show and its ancestors' licences ask. Pure: everything was read elsewhere."""

from collections.abc import Iterator, Sequence

from tensorguard.errors import quote
from tensorguard.licences.audit import SEVERITIES, Finding
from tensorguard.licences.bases import bases, called, doubtful
from tensorguard.licences.check_config import configuration
from tensorguard.licences.check_descent import descent
from tensorguard.licences.check_duties import duties
from tensorguard.licences.check_relation import relation
from tensorguard.licences.check_terms import terms
from tensorguard.licences.claims import Claims
from tensorguard.licences.declared import Names
from tensorguard.licences.obligations import Obligation
from tensorguard.licences.rules import broken
from tensorguard.licences.shapes import Shapes
from tensorguard.lineage.scan import Scan

_ACCUSING = ("TG101", "TG102", "TG103", "TG104", "TG110")
_SAID = ("licence", "base_model", "merge_parent", "relation")


def findings(
    claims: Claims, scan: Scan, obligations: Sequence[Obligation], known: Names, shapes: Shapes | None = None
) -> tuple[Finding, ...]:
    """Return where claims and weights part, what is lacking, and what cannot be known; the worst first.

    Args:
        claims: What the model says of itself.
        scan: What its weights show.
        obligations: What its ancestors oblige to (`relicensed.binding`).
        known: Who tells the registry's entries by name.
        shapes: The sizes of its weights; None if they were not looked at.
    """
    found = list(_all(claims, scan, obligations, known, shapes))
    found += _caveats(found, scan)
    unique = dict.fromkeys(found)
    return tuple(sorted(unique, key=lambda each: (SEVERITIES.index(each.severity), each.rule)))


def _all(
    claims: Claims, scan: Scan, obligations: Sequence[Obligation], known: Names, shapes: Shapes | None
) -> Iterator[Finding]:
    declared = bases(claims, scan, known)
    unsure = doubtful(scan, declared, known)
    yield from descent(claims, scan, declared, known)
    yield from relation(claims, scan, declared)
    if any(claims.of(field) for field in _SAID) or claims.card or claims.texts:
        yield from terms(claims, obligations, unsure)
    else:
        yield broken("TG905", "no file says what the model comes from, or under which licence it is")
    yield from duties(claims, obligations, unsure)
    yield from configuration(claims, shapes)


def _caveats(found: Sequence[Finding], scan: Scan) -> Iterator[Finding]:
    """Yield what the accusing findings rest on, if that is not firm."""
    if not any(each.rule in _ACCUSING for each in found):
        return
    best = scan.best
    if best is not None and not best.entry.verified:
        yield broken("TG906", f"the fingerprint of {called(best.entry)} was imported, and not recomputed here")
    if best is not None and best.confirmed is None and best.lineage.how != "certain":
        yield broken("TG907", f"that the weights come from {quote(best.entry.name)} rests on public probes")
