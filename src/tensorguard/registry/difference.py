"""What two registries, or archives of them, know differently."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from tensorguard.registry.entry import Entry, Facts

_COMPARED = ("source_digest", "fingerprint", "specification")
"""Fields of an entry that say what was measured; whose word it is and when it was added is no difference between models."""


@dataclass(frozen=True, slots=True)
class Change:
    """An entry that both have, and what they say differently.

    Attributes:
        name: The entry's name.
        key: Its key.
        changed: (field, what the first says, what the second says); parents are joined by commas.
    """

    name: str
    key: str
    changed: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What two registries know differently.

    Attributes:
        same: How many entries are the same in both.
        only_first: Entries that only the first has, by name.
        only_second: Entries that only the second has, by name.
        changed: Entries that both have with other facts or another fingerprint, by name.
    """

    same: int
    only_first: tuple[Entry, ...]
    only_second: tuple[Entry, ...]
    changed: tuple[Change, ...]


def difference(first: Iterable[Entry], second: Iterable[Entry]) -> Difference:
    """Compare entries by name and key."""
    one, other = ({(entry.name, entry.key): entry for entry in entries} for entries in (first, second))
    both = sorted(one.keys() & other.keys())
    changed = [Change(*place, found) for place in both if (found := _changed(one[place], other[place]))]
    return Difference(
        len(both) - len(changed),
        tuple(one[place] for place in sorted(one.keys() - other.keys())),
        tuple(other[place] for place in sorted(other.keys() - one.keys())),
        tuple(changed),
    )


def _changed(first: Entry, second: Entry) -> tuple[tuple[str, str, str], ...]:
    one, other = _said(first), _said(second)
    return tuple((field, one[field], other[field]) for field in one if one[field] != other[field])


def _said(entry: Entry) -> dict[str, str]:
    facts = {field.name: getattr(entry.facts, field.name) for field in fields(Facts)}
    return facts | {"parents": ", ".join(entry.facts.parents)} | {field: getattr(entry, field) for field in _COMPARED}
