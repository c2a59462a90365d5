"""Which objects of changes are put together into one: small ones first, so that each change is written again only a few times.

Sizes of what is left grow at least twofold, so n changes lie in about log n objects, and a mirror that is behind fetches little again.
"""

from collections.abc import Mapping

SMALL = 1 << 16
"""Bytes of objects that are put together whatever is there."""

LARGE = 1 << 24
"""Bytes that are put together at most; objects of about this size stay as they are."""

_DUE = 64
"""So many small objects are worth the requests that putting them together takes."""


def is_due(seen: Mapping[str, tuple[int, str]]) -> bool:
    """Say whether there are many small objects; see `chosen`."""
    return sum(size <= SMALL and not fault for size, fault in seen.values()) >= _DUE


def chosen(seen: Mapping[str, tuple[int, str]]) -> list[str]:
    """Return the objects to put together next: sizes and faults by name are given; none if there is nothing to gain."""
    found: list[str] = []
    total = 0
    for size, name in sorted((size, name) for name, (size, fault) in seen.items() if not fault):
        if size > max(2 * total, SMALL) or total + size > LARGE:
            break
        found.append(name)
        total += size
    return found if len(found) > 1 else []
