"""Which tensor of one model to hold against which of the other."""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tensorguard.tensors.base import Float32, extent
from tensorguard.tensors.view import Vector, View
from tensorguard.tensors.weight import Weight

ROWS_MAY_DIFFER = frozenset({"embed", "lm_head", "position"})
"""Tables: where one is longer, the rows that both have are compared."""

Tokens = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Rows of the tokens that both vocabularies have: in the first model and in the second, int64 of shape (n,) each."""

_Place = tuple[str, int | None, str, int | None]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two weights to compare.

    Attributes:
        first: Of the first model; a vector is a weight of one row.
        second: Of the second model.
        rows: How many rows are compared.
        index: Row of the second for each row of the first, int64 of shape (rows,); None for equal numbers. For tables of tokens:
            `own` then is the row of the first.
        own: See `index`.
        role: What the tensor is.
    """

    first: Weight
    second: Weight
    rows: int
    role: str
    own: NDArray[np.int64] | None = field(default=None, repr=False)
    index: NDArray[np.int64] | None = field(default=None, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) that are compared."""
        return self.rows, self.first.shape[1]

    def tile(self, start: int, stop: int) -> tuple[Float32, Float32]:
        """Return a range of rows of both, float32 of shape (stop - start, columns).

        Raises:
            InputError: The bytes cannot be read or decoded.
        """
        if self.own is None or self.index is None:
            return self.first.rows(start, stop), self.second.rows(start, stop)
        return scattered_rows(self.first, self.own[start:stop]), scattered_rows(self.second, self.index[start:stop])


def pair_up(
    a: View, b: View, layer_map: Mapping[int, int] | None, tokens: Tokens | None = None
) -> tuple[list[Pair], list[Weight], list[Weight]]:
    """Match the tensors of two models by stack, layer, role and expert.

    Args:
        a: The first model.
        b: The second.
        layer_map: Block of the first -> block of the second; those it lacks have no partner. None for equal numbers.
        tokens: Rows of the tokens that both have, in the first and in the second; None for equal numbers.

    Returns:
        Pairs in canonical order of the first model, matrices before vectors; what is left of the first, and of the second.
    """
    partners: dict[_Place, list[Weight]] = defaultdict(list)
    for weight in members(b):
        partners[_place(weight, weight.layer)].append(weight)
    ours: dict[_Place, list[Weight]] = defaultdict(list)
    alone = []
    for weight in members(a):
        layer = weight.layer
        if layer is not None and layer_map is not None:
            if layer not in layer_map:
                alone.append(weight)
                continue
            layer = layer_map[layer]
        ours[_place(weight, layer)].append(weight)
    pairs, taken = [], set[int]()
    for place, mine in ours.items():
        theirs = partners.get(place, [])
        for first, second in zip(mine, theirs if len(theirs) == len(mine) else [None] * len(mine), strict=True):
            if second is not None and (pair := _pair(first, second, tokens)) is not None:
                pairs.append(pair)
                taken.add(id(second))
            else:
                alone.append(first)
    return pairs, alone, [w for group in partners.values() for w in group if id(w) not in taken]


def _pair(first: Weight, second: Weight, tokens: Tokens | None) -> Pair | None:
    """Return two tensors in one place as a pair, if their shapes allow it."""
    if first.shape[1] != second.shape[1]:
        return None
    if tokens is not None and first.role in ("embed", "lm_head"):
        return Pair(first, second, len(tokens[0]), first.role, *tokens)
    if first.shape[0] != second.shape[0] and first.role not in ROWS_MAY_DIFFER:
        return None
    return Pair(first, second, min(first.shape[0], second.shape[0]), first.role)


def scattered_rows(weight: Weight, rows: NDArray[np.int64]) -> Float32:
    """Return rows in the order given, neighbours in one read: float32 of shape (len(rows), columns)."""
    values = np.empty((len(rows), weight.shape[1]), np.float32)
    edges = [0, *(int(i) + 1 for i in np.flatnonzero(np.diff(rows) != 1)), len(rows)]
    for begin, end in itertools.pairwise(edges):
        if end > begin:
            values[begin:end] = weight.rows(int(rows[begin]), int(rows[end - 1]) + 1)
    return values


def members(view: View) -> Sequence[Weight]:
    """Return all weights of a model, then its vectors as weights of one row with roles like `norm:attention_in`."""
    return [*view.weights, *(_as_weight(vector) for vector in view.vectors)]


def _as_weight(vector: Vector) -> Weight:
    shape = extent(vector.stored)
    return Weight(f"{vector.role}:{vector.part}", vector.layer, shape, vector.stored, expert=vector.expert, stack=vector.stack)


def _place(weight: Weight, layer: int | None) -> _Place:
    return weight.stack, layer, weight.role, weight.expert
