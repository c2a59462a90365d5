"""What a model's ancestors oblige to: the duties of all of them, each with why it applies.

Ancestors are measured first: the model's copies, the likeliest parent, all parents of a merge, donors of shared components. Then come
their parents, as the registry and the shipped catalogue tell them, and so on.
"""

import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tensorguard.licences.licence import Duty, identify
from tensorguard.limits import MAX_GENERATIONS
from tensorguard.lineage.scan import Relative, Scan
from tensorguard.lineage.verdict import Verdict
from tensorguard.registry.catalogue import known as catalogued
from tensorguard.registry.entry import Entry, Facts

SLIGHT = 0.02
"""A weight in a merge up to which a model is no parent: so much is fitted to noise."""

_COPIES = ("identical", "same-weights")
_SHARED = ("same", "linked")
_UNTOLD = ("", "other", "unknown")


@dataclass(frozen=True, slots=True)
class Obligation:
    """A duty and the ancestor that it comes from.

    Attributes:
        licence: Licence id; as the registry spells it if the licence is not known to us, empty if nobody says which it is.
        duty: The duty; None if the licence is not known to us and has to be read.
        ancestor: Name of the model whose licence it is.
        through: The chain from the model in question to that ancestor, names in order, both ends apart; empty if it is direct.
        measured: Whether the link to the ancestor was measured on weights (else it is what the registry or the catalogue says of its
            parents).
        link: How the model stands to the ancestor where that was measured; `related` and `shares-components` say less than `derived`:
            the duties hold for what was taken over.
    """

    licence: str
    duty: Duty | None
    ancestor: str
    through: tuple[str, ...]
    measured: bool
    link: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A model that the one in question descends from.

    Attributes:
        name: What the registry calls it, else its repository.
        facts: What is known of it; empty facts if nothing is.
        through: The chain to it, both ends apart.
        link: How the model in question stands to it where that was measured on weights, else None.
    """

    name: str
    facts: Facts
    through: tuple[str, ...]
    link: Verdict | None


def obligations(scan: Scan, known: Sequence[Entry]) -> tuple[Obligation, ...]:
    """Return the duties of all ancestors that a scan found, of merges all parents', of chains all along the chain.

    Each ancestor's licence counts once, however many ways lead to it. One that allows everything and asks nothing leaves no trace.

    Args:
        scan: The scan.
        known: The registry's entries; with the catalogue they tell the parents of the parents and the licences.
    """
    return tuple(each for ancestor in ancestors(scan, known) for each in _obligations(ancestor))


def ancestors(scan: Scan, known: Sequence[Entry]) -> tuple[Ancestor, ...]:
    """Return the models that a scan says the model derives from, then theirs, nearest first, each once and without cycles."""
    entries = {name: entry for entry in reversed(known) for name in _names(entry)}
    entries |= {name: each.entry for each in reversed(scan.relatives) for name in _names(each.entry)}
    links = {_identity(each.entry.name, entries): each.lineage.verdict for each in scan.relatives if not _is_child(each)}
    children = {_identity(each.entry.name, entries) for each in scan.relatives if _is_child(each)}
    queue = deque(Ancestor(each.entry.name, _facts(each.entry), (), each.lineage.verdict) for each in parents(scan))
    found: dict[str, Ancestor] = {}
    while queue:
        ancestor = queue.popleft()
        identity = _identity(ancestor.name, entries)
        if identity in found or identity in children:
            continue
        found[identity] = ancestor
        for parent in ancestor.facts.parents if len(ancestor.through) < MAX_GENERATIONS else ():
            entry = entries.get(parent.casefold())
            name = entry.name if entry else parent
            facts = _facts(entry) if entry else _catalogued(parent)
            link = links.get(_identity(parent, entries))
            queue.append(Ancestor(name, facts, (*ancestor.through, ancestor.name), link))
    return tuple(found.values())


def parents(scan: Scan) -> tuple[Relative, ...]:
    """Return the relatives that the weights themselves name as what the model was made of, the likeliest first.

    These are its copies or, if there is none, the best relative and the parents of a merge; models that share a component which none of
    the linked ones explains; while none of them tells a licence or parents of its own, the next linked one; and, if nobody tells their
    parents, the nearest base that is older than they are. A relative that clearly derives from the model is none.
    """
    linked = {each.entry.name: each for each in scan.relatives if not _is_child(each)}
    chosen = {name for name, each in linked.items() if each.lineage.verdict in _COPIES}
    if not chosen:
        chosen = {*itertools.islice(linked, 1), *_merged(scan)}
    for name in linked:
        if not any(_tells(each.entry) for known, each in linked.items() if known in chosen):
            chosen.add(name)
    chosen |= _older_roots(linked, chosen)
    donors = {name: _components(each) for name, each in linked.items() if each.lineage.verdict == "shares-components"}
    explained = {component for name, each in linked.items() if name not in donors for component in _components(each)}
    for name, components in donors.items():
        if components - explained:
            chosen.add(name)
            explained |= components
    return tuple(each for name, each in linked.items() if name in chosen)


def _obligations(ancestor: Ancestor) -> Iterator[Obligation]:
    licence = identify(ancestor.facts.licence)
    name = licence.id if licence else ancestor.facts.licence
    for duty in licence.duties if licence else (None,):
        yield Obligation(name, duty, ancestor.name, ancestor.through, ancestor.link is not None, ancestor.link)


def _merged(scan: Scan) -> set[str]:
    """Return the names of what the model is a merge of, its base included."""
    if scan.parents is None or scan.parents.method in ("single", "none"):
        return set()
    parents = {each.name for each in scan.parents.parents if each.weight > SLIGHT}
    return parents | ({scan.parents.base} if scan.parents.base else set())


def _older_roots(linked: dict[str, Relative], chosen: set[str]) -> set[str]:
    """Return the nearest older base, if nobody tells what the chosen ones were made of: they may be its unlabelled descendants."""
    facts = [_facts(linked[name].entry) for name in chosen if name in linked]
    if not facts or any(each.parents for each in facts):
        return set()
    oldest = min((each.released for each in facts if each.released), default="9999")
    for name, each in linked.items():
        its = _facts(each.entry)
        if name not in chosen and each.lineage.verdict == "derived" and not its.parents and "" < its.released < oldest:
            return {name}
    return set()


def _tells(entry: Entry) -> bool:
    """Say whether anybody tells under which licence a model is, or what it was made of."""
    facts = _facts(entry)
    return facts.licence not in _UNTOLD or bool(facts.parents)


def _is_child(relative: Relative) -> bool:
    return relative.lineage.direction == "second from first"


def _components(relative: Relative) -> set[str]:
    return {each.name for each in relative.lineage.components if each.status in _SHARED}


def _names(entry: Entry) -> tuple[str, ...]:
    return tuple(name.casefold() for name in (entry.name, entry.facts.repository) if name)


def _identity(name: str, entries: dict[str, Entry]) -> str:
    """Return one word for all names of a model: its repository as the catalogue spells it, if it has one."""
    entry = entries.get(name.casefold())
    repository = entry.facts.repository or entry.name if entry else name
    row = catalogued(repository)
    return (row.repository if row else repository).casefold()


def _facts(entry: Entry) -> Facts:
    """Return what the registry says of an entry; what it leaves open, the catalogue may know."""
    said, row = entry.facts, _catalogued(entry.facts.repository or entry.name)
    return Facts(
        repository=said.repository or row.repository,
        revision=said.revision,
        family=said.family or row.family,
        publisher=said.publisher or row.publisher,
        licence=said.licence or row.licence,
        parents=said.parents or row.parents,
        relation=said.relation or row.relation,
        released=said.released or row.released,
    )


def _catalogued(repository: str) -> Facts:
    row = catalogued(repository)
    return row.facts if row else Facts()
