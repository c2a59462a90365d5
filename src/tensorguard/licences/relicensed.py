"""Ancestors whose terms their own publisher replaced: Llama 3.2's weights were made of Llama 3.1's, and Meta gives them under 3.2's."""

from collections.abc import Iterable, Sequence

from tensorguard.licences.declared import Directory, repository
from tensorguard.licences.obligations import Obligation
from tensorguard.registry.catalogue import known as of_catalogue
from tensorguard.registry.entry import Entry


def binding(obligations: Sequence[Obligation], known: Iterable[Entry]) -> tuple[Obligation, ...]:
    """Return the obligations without those of ancestors from which their own publisher made the next model of the chain.

    A licensor may give what is made of its own model under other terms. That they are the same publisher is what registry and catalogue
    record, never what the model in question claims.
    """
    names = Directory(known)
    publishers = {name: _publisher(name, names) for each in obligations for name in (each.ancestor, *each.through)}
    return tuple(
        each
        for each in obligations
        if not each.through or not publishers[each.ancestor] or publishers[each.ancestor] != publishers[each.through[-1]]
    )


def _publisher(name: str, known: Directory) -> str:
    """Return who published a known model; empty if that is not known."""
    found, exact = known.matching(name)
    facts = of_catalogue(name) or (of_catalogue(found[0].facts.repository) if found and exact else None)
    if facts is not None:
        return facts.publisher.casefold()
    recorded = found[0].facts if found and exact else None
    if recorded is not None and recorded.publisher:
        return recorded.publisher.casefold()
    full = repository(recorded.repository if recorded is not None and recorded.repository else name)
    return full.rpartition("/")[0].casefold()
