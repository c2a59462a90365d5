"""What a licence that is claimed drops of the terms under which a parent came: the commonest fault of derived models' cards."""

from collections.abc import Iterable, Iterator

from tensorguard.licences.licence import Duty, DutyKind, Licence, licences

BINDING: tuple[DutyKind, ...] = (
    "non-commercial", "same-licence", "use-restrictions", "pass-on-terms", "threshold", "outputs", "name", "display",
)  # fmt: skip
"""Duties that a claimed licence has to carry on, the heaviest first. Copies and notices go beside a licence, whichever it is."""

_NOTICES: tuple[DutyKind, ...] = ("attribution", "notice", "licence-text")
"""What even permissive licences ask for; a dedication to the public domain gives away what is not one's own."""

_WORDED: tuple[DutyKind, ...] = ("name", "display", "threshold")
"""Of these the words or numbers have to be the same, too."""

_WORDS: dict[DutyKind, str] = {
    "non-commercial": "allows no commercial use",
    "same-licence": "wants derivatives under the same licence",
    "use-restrictions": "restricts uses",
    "pass-on-terms": "wants its terms passed on",
    "threshold": "has a limit of users or revenue",
    "outputs": "has terms on models made with its outputs",
    "name": "prescribes a name",
    "display": "prescribes words to display",
    "attribution": "wants credit kept",
    "notice": "wants its notices kept",
    "licence-text": "wants its text kept",
}

_COMMERCIAL = ("no", "conditions", "yes")


def strictest(of: Iterable[Licence]) -> Licence | None:
    """Return the licence that leaves the least: no commercial use before conditions, no relicensing, then the most binding duties."""
    return min(of, key=_freedom, default=None)


def dropped(claimed: Licence, parent: Licence) -> tuple[Duty, ...]:
    """Return the parent's binding duties that the claimed licence does not carry on, the heaviest first."""
    if claimed.id == parent.id:
        return ()
    if not claimed.duties and any(duty.kind in _NOTICES for duty in parent.duties):
        return tuple(duty for duty in parent.duties if duty.kind in (*BINDING, *_NOTICES))
    if parent.relicensing:
        return ()
    found = [duty for duty in parent.duties if duty.kind in BINDING and not _carried(duty, claimed)]
    return tuple(sorted(found, key=lambda duty: BINDING.index(duty.kind)))


def compatible(claimed: Licence, parent: Licence) -> str | None:
    """Return why a model cannot be under the claimed licence if it derives from a model under the other; None if it can.

    None does not say that all is well: copies of the parent's licence and its notices are still due (see `obligations`).
    """
    lost = dropped(claimed, parent)
    if not lost:
        return None
    kinds = dict.fromkeys(duty.kind for duty in lost)
    said = [_WORDS[kind] for kind in kinds]
    listed = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
    return f"{parent.id} ({parent.name}) {listed}; {claimed.id} drops that"


def duties(ids: Iterable[str]) -> Iterator[tuple[Licence, Duty]]:
    """Yield all duties of licences by id, in their order; ids that are not known are passed over."""
    known = licences()
    for each in dict.fromkeys(ids):
        if licence := known.get(each):
            yield from ((licence, duty) for duty in licence.duties)


def _carried(duty: Duty, claimed: Licence) -> bool:
    if duty.kind == "same-licence":
        return claimed.id in duty.alternatives
    kept = [each for each in claimed.duties if each.kind == duty.kind]
    return any(each.value == duty.value for each in kept) if duty.kind in _WORDED else bool(kept)


def _freedom(licence: Licence) -> tuple[int, bool, int, str]:
    binding = sum(duty.kind in BINDING for duty in licence.duties)
    return _COMMERCIAL.index(licence.commercial), licence.relicensing, -binding, licence.id
