"""Pairs of blocks: the matrices of each, and what is folded into them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from tensorguard.tensors.folding import Folding, Folds
from tensorguard.tensors.grouping import HeadDimensions
from tensorguard.tensors.view import View
from tensorguard.tensors.weight import Weight

READERS = ("gate", "up", "fc_in", "q", "k", "v")
WRITERS = ("down", "fc_out", "o")


@dataclass(frozen=True, slots=True)
class Block:
    """The matrices of one block that touch the residual stream, by role; experts in order, and what is folded into each role."""

    stack: str
    layer: int
    weights: Mapping[str, tuple[Weight, ...]] = field(repr=False)
    foldings: Mapping[str, Folding] = field(repr=False)


@dataclass(frozen=True, slots=True)
class BlockPair:
    """Two blocks that read and write streams of equal width; their numbers of neurons and heads may differ.

    Attributes:
        first: Of the first model.
        second: Of the second.
        roles: Roles that both have, readers first.
        width: Of the residual stream.
        head: Rows of a head in q and k; 0 where it is not known or differs.
    """

    first: Block
    second: Block
    roles: tuple[str, ...]
    width: int
    head: int


def blocks_of(view: View, folds: Folds) -> dict[tuple[str, int], Block]:
    """Return the blocks of a model by (stack, layer)."""
    found: dict[tuple[str, int], dict[str, list[Weight]]] = {}
    for weight in view.weights:
        if weight.layer is not None and weight.role in READERS + WRITERS:
            found.setdefault((weight.stack, weight.layer), {}).setdefault(weight.role, []).append(weight)
    return {
        (stack, layer): Block(
            stack,
            layer,
            {role: tuple(weights) for role, weights in roles.items()},
            {role: (folds.reader if role in READERS else folds.writer)(stack, layer, role) for role in roles},
        )
        for (stack, layer), roles in found.items()
    }


def pair_blocks(
    first: Mapping[tuple[str, int], Block],
    second: Mapping[tuple[str, int], Block],
    heads: tuple[HeadDimensions, HeadDimensions],
    wanted: Collection[tuple[str, int, int]],
) -> list[BlockPair]:
    """Pair blocks up.

    Args:
        first: Blocks of the first model.
        second: Of the second.
        heads: Head dimensions of both.
        wanted: (stack, layer in the first, layer in the second).
    """
    pairs = []
    for stack, layer, other in sorted(wanted):
        ours, theirs = first.get((stack, layer)), second.get((stack, other))
        if ours is None or theirs is None:
            continue
        roles = tuple(role for role in READERS + WRITERS if role in ours.weights and role in theirs.weights)
        width = _width(ours, roles)
        if width and _width(theirs, roles) == width:
            pairs.append(BlockPair(ours, theirs, roles, width, _head(ours, theirs, heads)))
    return pairs


def _shapes(block: Block, role: str) -> list[tuple[int, int]]:
    return [weight.shape for weight in block.weights.get(role, ())]


def _width(block: Block, roles: tuple[str, ...]) -> int:
    """Return the one width of the stream that all roles agree on, else 0."""
    widths = {shape[1 if role in READERS else 0] for role in roles for shape in _shapes(block, role)}
    return widths.pop() if len(widths) == 1 else 0


def _head(first: Block, second: Block, heads: tuple[HeadDimensions, HeadDimensions]) -> int:
    found = set()
    for block, dimensions in zip((first, second), heads, strict=True):
        shapes = {role: _shapes(block, role) for role in ("q", "k", "v", "o")}
        if any(len(each) != 1 for each in shapes.values()):
            return 0
        q, k, v, o = (shapes[role][0] for role in ("q", "k", "v", "o"))
        head = dimensions.head_dimension(block.layer, q[0], k[0], block.stack)
        if not head or q[0] % head or k[0] % head:
            return 0
        queries, keys = q[0] // head, k[0] // head
        if queries % keys or v[0] % keys or o[1] % queries or v[0] // keys != o[1] // queries:
            return 0
        found.add(head)
    return found.pop() if len(found) == 1 else 0
