"""Tensors that play one role in every layer, seen by their names: equal but for the numbers. Without numbers each stands alone."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tensorguard.tensors.base import Stored
from tensorguard.tensors.placing import Placed

_NUMBER = re.compile(r"[0-9]{1,6}")
_SAMPLED = 6
"""Layers in which a series is looked at."""


@dataclass(frozen=True, slots=True)
class Series:
    """One role of unknown name.

    Attributes:
        skeleton: The name with its numbers left out; the whole name of what stands alone.
        numbers: Of each member, in order.
        members: Tensors of one shape.
    """

    skeleton: str
    numbers: tuple[tuple[int, ...], ...]
    members: tuple[Placed, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of every member."""
        return self.members[0].stored.shape

    def sampled(self) -> list[Stored]:
        """Return a few members, evenly spaced: at the same places for series with the same numbers."""
        step = max(1, len(self.members) // _SAMPLED)
        return [member.stored for member in self.members[::step][:_SAMPLED]]


def series(placed: Sequence[Placed]) -> list[Series]:
    """Group tensors with a layer by the skeletons of their names; those without one stand alone. In the order of their first members."""
    return _grouped(placed, [p.layer is not None for p in placed])


def numbered_series(placed: Sequence[Placed]) -> list[Series]:
    """Group tensors by the skeletons of their names, whether they have layers or not."""
    return _grouped(placed, [True] * len(placed))


def _grouped(placed: Sequence[Placed], together: Sequence[bool]) -> list[Series]:
    groups: dict[tuple[str, tuple[int, ...]], list[Placed]] = defaultdict(list)
    for member, numbered in zip(placed, together, strict=True):
        name = member.stored.name
        groups[_NUMBER.sub("#", name) if numbered else name, member.stored.shape].append(member)
    found = []
    for (skeleton, _), members in groups.items():
        numbers = {id(p): tuple(int(n) for n in _NUMBER.findall(p.stored.name)) for p in members}
        members.sort(key=lambda p: numbers[id(p)])
        found.append(Series(skeleton, tuple(numbers[id(p)] for p in members), tuple(members)))
    return found
