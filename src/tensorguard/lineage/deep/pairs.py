"""Which tensor of one model to hold against which of the other."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorguard.tensors.base import extent
from tensorguard.tensors.view import Vector, View
from tensorguard.tensors.weight import Weight

ROWS_MAY_DIFFER = frozenset({"embed", "lm_head", "position"})
"""Tables: where one is longer, the rows that both have are compared."""

_Place = tuple[str, int | None, str, int | None]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two weights to compare.

    Attributes:
        first: Of the first model; a vector is a weight of one row.
        second: Of the second model.
        rows: Rows that both have.
    """

    first: Weight
    second: Weight
    rows: int

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) that are compared."""
        return self.rows, self.first.shape[1]


def pair_up(a: View, b: View, layer_map: Mapping[int, int] | None) -> tuple[list[Pair], list[str]]:
    """Match the tensors of two models by stack, layer, role and expert.

    Args:
        a: The first model.
        b: The second.
        layer_map: Block of the first -> block of the second; those it lacks have no partner. None for equal numbers.

    Returns:
        Pairs in canonical order of the first model, matrices before vectors, and the names of the first model's tensors that have no
        partner of their shape.
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
                alone.append(weight.name)
                continue
            layer = layer_map[layer]
        ours[_place(weight, layer)].append(weight)
    pairs = []
    for place, mine in ours.items():
        theirs = partners.get(place, [])
        same = len(mine) == len(theirs)
        for first, second in zip(mine, theirs if same else mine, strict=True):
            if same and first.shape[1] == second.shape[1] and _rows_fit(first, second):
                pairs.append(Pair(first, second, min(first.shape[0], second.shape[0])))
            else:
                alone.append(first.name)
    return pairs, alone


def members(view: View) -> Sequence[Weight]:
    """Return all weights of a model, then its vectors as weights of one row with roles like `norm:attention_in`."""
    return [*view.weights, *(_as_weight(vector) for vector in view.vectors)]


def _as_weight(vector: Vector) -> Weight:
    shape = extent(vector.stored)
    return Weight(f"{vector.role}:{vector.part}", vector.layer, shape, vector.stored, expert=vector.expert, stack=vector.stack)


def _place(weight: Weight, layer: int | None) -> _Place:
    return weight.stack, layer, weight.role, weight.expert


def _rows_fit(first: Weight, second: Weight) -> bool:
    return first.shape[0] == second.shape[0] or first.role in ROWS_MAY_DIFFER
