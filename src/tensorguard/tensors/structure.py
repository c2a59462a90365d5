"""Roles from shapes and repetition alone, for models whose names are unknown or nonsense.

Only the category can be told this way: `attention`, `ffn`, `embed` (`position` and `token_type` by their height), else `other`. Blocks are
what repeats. Numbers in names give the layers where names that differ in numbers alone have one shape; otherwise no layer is known.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorguard.tensors.base import Stored
from tensorguard.tensors.placing import Placed

_Shape = tuple[int, int]
_NUMBER = re.compile(r"[0-9]{1,6}")
_FEWEST = 4
"""With fewer matrices than this nothing repeats, and nothing is said."""
_SMALL = 8
"""A table of at most this many rows outside blocks is one of token types, a taller one of positions."""
_MANY = 4
"""A width that occurs this many times as often as the others is that of experts."""


def place_by_structure(tensors: Sequence[Stored]) -> list[Placed]:
    """Return a place for every tensor: matrices by their shapes, `vector` for vectors and `other` for the rest."""
    matrices = [stored for stored in tensors if len(stored.shape) == 2]
    layers = _layers(matrices)
    shapes = Counter((stored.shape[0], stored.shape[1]) for stored in matrices)
    repeated = Counter((s.shape[0], s.shape[1]) for s in matrices if s.name in layers)
    stream = _Stream.of(shapes, repeated) if len(matrices) >= _FEWEST else None
    placed = []
    for stored in tensors:
        if len(stored.shape) < 2:
            placed.append(Placed(stored, "vector"))
        elif len(stored.shape) > 2 or stream is None:
            placed.append(Placed(stored, "other"))
        else:
            layer = layers.get(stored.name)
            inside = layer is not None if layers else None
            placed.append(Placed(stored, stream.role((stored.shape[0], stored.shape[1]), inside), layer=layer))
    return placed


@dataclass(frozen=True)
class _Stream:
    """A model seen through its shapes.

    Attributes:
        hidden: Width of the residual stream: the most common dimension.
        shapes: How often each shape occurs.
        ffn: Inner widths of the feed-forward blocks; with a fused gate, also the doubled one.
        paired: Widths that are both written from the stream and read back to it.
        depth: How many blocks there are.
        tallest: Height of the embedding.
    """

    hidden: int
    shapes: Mapping[_Shape, int]
    ffn: frozenset[int]
    paired: frozenset[int]
    depth: int
    tallest: int

    @staticmethod
    def of(shapes: Counter[_Shape], repeated: Counter[_Shape]) -> "_Stream":
        """Measure a model; `repeated` counts what names show to lie inside blocks (empty if they show nothing)."""
        dimensions = Counter[int]()
        for (rows, columns), count in shapes.items():
            dimensions[rows] += count
            dimensions[columns] += count
        hidden = max(dimensions, key=lambda d: (dimensions[d], -d))
        inside = repeated or shapes
        others = {rows if columns == hidden else columns for rows, columns in inside if hidden in (rows, columns)} - {hidden}
        paired = {x for x in others if (x, hidden) in inside and (hidden, x) in inside}
        halved = {x for x in others - paired if (2 * x, hidden) in inside and (hidden, x) in inside}
        ffn = _widest(paired | halved, hidden, inside)
        depth = min((inside[hidden, x] for x in ffn), default=max(inside.values()))
        tallest = max((x for x in _unpaired(shapes, hidden, paired | halved) if _count(shapes, hidden, x) <= 2), default=0)
        doubled = {2 * x for x in ffn & halved}
        return _Stream(hidden, shapes, frozenset(ffn | doubled), frozenset(paired), depth, tallest)

    def role(self, shape: _Shape, inside: bool | None) -> str:
        """Return the role of a matrix; `inside` says whether it lies in a block, None if nothing shows it."""
        if self.hidden not in shape:
            return "other"
        x = shape[0] if shape[1] == self.hidden else shape[1]
        if inside is None:
            inside = x == self.hidden or _count(self.shapes, self.hidden, x) >= self.depth
            inside = inside and not (x == self.tallest and x > max(self.ffn, default=3 * self.hidden))
        if not inside:
            if x == self.tallest:
                return "embed"
            return "other" if x == self.hidden else "token_type" if x <= _SMALL else "position"
        if x in self.ffn:
            return "ffn"
        return "attention" if x in self.paired or x <= 3 * self.hidden else "ffn"


def _widest(candidates: set[int], hidden: int, shapes: Mapping[_Shape, int]) -> set[int]:
    """Choose the feed-forward's width among those of pairs: the widest, or experts' if there are many of them."""
    if not candidates:
        return set()
    by_count = sorted(candidates, key=lambda x: _count(shapes, hidden, x))
    if len(by_count) > 1 and _count(shapes, hidden, by_count[-1]) >= _MANY * _count(shapes, hidden, by_count[-2]):
        return {by_count[-1]}
    return {max(candidates)}


def _unpaired(shapes: Mapping[_Shape, int], hidden: int, paired: set[int]) -> set[int]:
    return {max(shape) for shape in shapes if hidden in shape and max(shape) > hidden} - paired - {2 * x for x in paired}


def _count(shapes: Mapping[_Shape, int], hidden: int, x: int) -> int:
    return shapes.get((x, hidden), 0) + (shapes.get((hidden, x), 0) if x != hidden else 0)


def _layers(matrices: Sequence[Stored]) -> dict[str, int]:
    """Return name -> layer for names that repeat with one shape, if most do; else nothing."""
    groups: dict[str, list[Stored]] = defaultdict(list)
    for stored in matrices:
        groups[_NUMBER.sub("#", stored.name)].append(stored)
    layers: dict[str, int] = {}
    for group in groups.values():
        if len(group) < 2 or len({stored.shape for stored in group}) > 1:
            continue
        numbers = [[int(n) for n in _NUMBER.findall(stored.name)] for stored in group]
        varying = next((i for i in range(len(numbers[0])) if len({row[i] for row in numbers}) > 1), None)
        if varying is not None:
            layers |= {stored.name: row[varying] for stored, row in zip(group, numbers, strict=True)}
    return layers if 2 * len(layers) >= len(matrices) else {}
