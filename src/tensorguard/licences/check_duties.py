"""Whether the duties of the ancestors' licences that a machine can check are kept: TG205, TG207 to TG209, TG301 to TG304."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from tensorguard.errors import quote
from tensorguard.licences.audit import Finding, Severity
from tensorguard.licences.claim_sources import prose
from tensorguard.licences.claims import Claims
from tensorguard.licences.letters import unified
from tensorguard.licences.licence import Duty, identify, licences
from tensorguard.licences.naming import bare_name, satisfies
from tensorguard.licences.obligations import Obligation
from tensorguard.licences.rules import broken

_POLICY = re.compile(
    r"(?:acceptable|prohibited|permitted)[ -]use|use[ -](?:policy|restrictions?)|restrictions? on use", re.IGNORECASE
)


def duties(claims: Claims, obligations: Sequence[Obligation], unsure: Collection[str] = ()) -> Iterator[Finding]:
    """Yield the duties that are not kept, each once.

    Args:
        claims: What the model says of itself.
        obligations: What its ancestors oblige to.
        unsure: Names of ancestors that may be siblings: no error rests on them alone.
    """
    seen = set()
    for each in obligations:
        if each.duty is None or (each.licence, each.duty.id) in seen:
            continue
        seen.add((each.licence, each.duty.id))
        finding = _unkept(each, each.duty, claims)
        if finding is not None:
            yield replace(finding, severity=_severity(finding, each, unsure))


def _severity(finding: Finding, obligation: Obligation, unsure: Collection[str]) -> Severity:
    """Return how bad a finding is: milder if the ancestor may be none, or is a permissive one on record alone."""
    known = licences().get(obligation.licence)
    if known is not None and known.permissive and not obligation.measured:
        return "note"
    doubtful = bool({obligation.ancestor, *obligation.through} & set(unsure))
    return "warning" if doubtful and finding.severity == "error" else finding.severity


def published_name(claims: Claims) -> tuple[str, str]:
    """Return the name under which the model is published and where that is said: of repository, card and container the first."""
    found = claims.of("name")
    order = [each for each in found if each.source != "folder or file name"] or list(found)
    return (order[0].value, order[0].source) if order else ("", "")


def _unkept(obligation: Obligation, duty: Duty, claims: Claims) -> Finding | None:
    licence, ancestor = _called(obligation.licence), quote(obligation.ancestor)
    shown = f"{licence} {duty.clause}: {duty.text}" if duty.clause else f"{licence}: {duty.text}"
    card, texts = _plain(prose(claims.card)), [_plain(text) for _, text in claims.texts]
    match duty.kind:
        case "name" if duty.value:
            return _name(obligation, duty, claims, shown)
        case "display" if duty.value and not _any(duty, [card]):
            message = f"the card does not say {_words(duty)}, as {licence} of {ancestor} asks"
            return broken("TG302", message, shown=shown, where="README.md")
        case "notice" if duty.value and not _any(duty, [_plain(text) for name, text in claims.texts if _may_be_notice(name)]):
            message = f"no notice beside the weights holds the words that {licence} of {ancestor} asks for: {_words(duty)}"
            return broken("TG303", message, shown=shown)
        case "attribution" if duty.value and not _any(duty, [card, *texts]):
            return broken("TG304", f"neither card nor notice says {_words(duty)}, as {licence} of {ancestor} asks", shown=shown)
        case "licence-text" if not _has_text(obligation.licence, claims):
            return broken("TG205", f"no copy of {licence} lies beside the weights, which {ancestor} asks for", shown=shown)
        case "use-restrictions" if not _has_policy(obligation.licence, duty, claims, [card, *texts]):
            return broken(
                "TG207", f"nothing beside the weights mentions the use restrictions of {licence} of {ancestor}", shown=shown
            )
        case "threshold":
            return broken("TG208", f"{licence} of {ancestor} has a threshold", shown=shown)
        case "outputs":
            return broken("TG209", f"{licence} of {ancestor} governs outputs", shown=shown)
        case _:
            return None


def _name(obligation: Obligation, duty: Duty, claims: Claims, shown: str) -> Finding | None:
    name, source = published_name(claims)
    own = bare_name(name)
    if not own or satisfies(name, duty):
        return None
    severity: Severity | None = "warning" if source == "folder or file name" else None  # it may be published under another
    message = f"the name {quote(own)} does not begin with {_words(duty)}, as {_called(obligation.licence)} asks"
    return broken("TG301", message, severity=severity, shown=shown, claimed=f"{source}: {quote(name)}")


def _has_text(licence_id: str, claims: Claims) -> bool:
    """Say whether a copy of the licence is there; a text that is not recognised is given the benefit of the doubt."""
    found = [identify(text) for name, text in claims.texts if re.match("licen[cs]e|copying|terms", name, re.IGNORECASE)]
    return any(each is None or each.id == licence_id for each in found)


def _may_be_notice(name: str) -> bool:
    """Say whether a file may be the notice: not the licence's own text, which quotes the words that the notice has to hold."""
    return "notice" in name.casefold() or not re.match("licen[cs]e|copying|terms", name, re.IGNORECASE)


def _has_policy(licence_id: str, duty: Duty, claims: Claims, texts: Sequence[str]) -> bool:
    if duty.value and _any(duty, texts):
        return True
    passed_on = any((each := identify(text)) is not None and each.id == licence_id for _, text in claims.texts)
    return passed_on or any("policy" in name.casefold() for name in claims.files) or any(map(_POLICY.search, texts))


def _any(duty: Duty, texts: Sequence[str]) -> bool:
    return any(_plain(words) in text for words in duty.alternatives for text in texts)


def _plain(text: str) -> str:
    """Return text as it is compared: one case, single spaces, no marks of Markdown."""
    return " ".join(re.sub(r"[*_`\"“”'’]+", "", unified(text)).casefold().split())


def _words(duty: Duty) -> str:
    return " or ".join(quote(each) for each in duty.alternatives)


def _called(licence_id: str) -> str:
    known = licences().get(licence_id)
    return known.name if known else quote(licence_id)
