"""Whether the declared licence is one that the ancestors' licences allow: TG201 to TG206 and TG904."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from tensorguard.errors import quote
from tensorguard.licences.audit import Finding, Severity
from tensorguard.licences.claims import Claims
from tensorguard.licences.compatibility import compatible
from tensorguard.licences.licence import Licence, identify, licences
from tensorguard.licences.obligations import Obligation
from tensorguard.licences.rules import broken

_UNTOLD = frozenset({"other", "unknown", "unlicensed", "none"})
"""What cards say where the licence is named elsewhere, or not at all."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """A licence that the model declares.

    Attributes:
        text: As it is declared; untrusted.
        source: File and key.
        licence: What it means; None if it is not known.
    """

    text: str
    source: str
    licence: Licence | None


def declarations(claims: Claims) -> tuple[Declaration, ...]:
    """Return the licences that the model's files declare; `other` means what licence name or link say."""
    found = []
    for claim in claims.of("licence"):
        texts = [claim.value]
        if claim.value.casefold() in _UNTOLD:
            texts = [*_beside(claims, claim.file, "licence_name"), *_beside(claims, claim.file, "licence_link"), claim.value]
        known = next(((text, licence) for text in texts if (licence := identify(text))), (texts[0], None))
        found.append(Declaration(known[0], claim.source, known[1]))
    return tuple(found)


def terms(claims: Claims, obligations: Sequence[Obligation], unsure: Collection[str] = ()) -> Iterator[Finding]:
    """Yield what is wrong with the declared licence.

    Args:
        claims: What the model says of itself.
        obligations: What its ancestors oblige to.
        unsure: Names of ancestors that may be siblings: no error rests on them alone.
    """
    found = declarations(claims)
    ancestors = {each.licence: each for each in reversed(obligations)}
    if not found:
        names = ", ".join(f"{quote(each.licence)} of {quote(each.ancestor)}" for each in ancestors.values())
        shown = f"the ancestors' licences: {names}" if names else ""
        yield broken("TG201", "no licence is declared", shown=shown, where="README.md" if claims.card else "")
    for each in found:
        if each.licence is None:
            message = f"the licence {quote(each.text)} is not known here: nothing was checked against it"
            yield broken("TG202", message, claimed=each.source, where=_file(each))
    for licence_id, obligation in ancestors.items():
        licence = licences().get(licence_id) or identify(licence_id)
        if licence is None:
            ancestor = quote(obligation.ancestor)
            message = f"the licence {quote(licence_id)} of {ancestor} is not known here"
            if not licence_id:
                message = f"nobody says under which licence {ancestor} is"
            yield broken("TG904", message, shown=_through(obligation))
            continue
        for each in found:
            if each.licence is not None:
                yield from _compatible(each, each.licence, licence, obligation, unsure)
    yield from _differing(claims, found)


def _compatible(
    said: Declaration, declared: Licence, licence: Licence, obligation: Obligation, unsure: Collection[str]
) -> Iterator[Finding]:
    reason = compatible(declared, licence)
    if reason is None:
        return
    severity: Severity | None = "warning" if {obligation.ancestor, *obligation.through} & set(unsure) else None
    claimed = f"{said.source}: {quote(said.text)}"
    shown = f"{reason}; {quote(obligation.ancestor)} is under it ({licence.source}){_through(obligation, ', ')}"
    if licence.commercial == "no" and declared.commercial != "no":
        message = f"{declared.name} allows commercial use, and {licence.name} of {quote(obligation.ancestor)} does not"
        yield broken("TG204", message, severity=severity, shown=shown, claimed=claimed, where=_file(said))
    else:
        message = f"{declared.name} is declared, and {licence.name} of {quote(obligation.ancestor)} does not allow that"
        yield broken("TG203", message, severity=severity, shown=shown, claimed=claimed, where=_file(said))


def _differing(claims: Claims, found: Sequence[Declaration]) -> Iterator[Finding]:
    """Yield a finding if two files mean different licences."""
    said = [(each.source, each.licence) for each in found if each.licence]
    own = [name for name, _ in claims.texts if name.upper().startswith(("LICENSE", "LICENCE", "COPYING"))]
    said += [(name, licence) for name, text in claims.texts if name in own[:1] and (licence := identify(text))]
    files: dict[str, tuple[str, set[str]]] = {}
    for source, licence in said:
        files.setdefault(source.partition(": ")[0], (licence.name, set()))[1].add(licence.id)
    for (one, (first, ids)), (other, (second, others)) in zip(files.items(), list(files.items())[1:], strict=False):
        if not ids & others:
            told = f"{quote(one)} says {first}, and {quote(other)} says {second}"
            yield broken("TG206", "two files name different licences", claimed=told, where=one)


def _beside(claims: Claims, file: str, field: str) -> list[str]:
    return [each.value for each in claims.of(field) if each.file == file]


def _through(obligation: Obligation, before: str = "") -> str:
    chain = " from ".join(quote(name) for name in obligation.through)
    return f"{before}reached through {chain}" if chain else ""


def _file(said: Declaration) -> str:
    return said.source.partition(": ")[0]
