"""Where a model's parameters and bytes are: by part, by block, by way of storing them."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from tensorguard.adapters.base import AdaptedTensor, WholeTensor
from tensorguard.inspection.base import BlockBytes, BlockKind, Encoding, Part
from tensorguard.inspection.footprint import Footprints, tensors_of
from tensorguard.quantisations.base import Packed
from tensorguard.tensors.base import Stored, extent
from tensorguard.tensors.decoding import PLAIN
from tensorguard.tensors.ordering import LANGUAGE_STACKS
from tensorguard.tensors.quantised import block, dequantise
from tensorguard.tensors.roles import ATTENTION, EMBEDDING, FFN, SSM
from tensorguard.tensors.towers import by_tower
from tensorguard.tensors.view import View

GROUPS = (
    "embedding",
    "attention",
    "feed-forward",
    "experts",
    "state space",
    "output head",
    "other matrices",
    "convolutions",
    "norms, biases",
)
"""Parts of a tower in the order they are shown."""

_GROUP = {
    **dict.fromkeys(EMBEDDING, "embedding"),
    **dict.fromkeys((*ATTENTION, "relative"), "attention"),
    **dict.fromkeys(FFN, "feed-forward"),
    **dict.fromkeys(("router", "shared_router"), "experts"),
    **dict.fromkeys(SSM, "state space"),
    **dict.fromkeys(("lm_head", "head", "pooler"), "output head"),
}


@dataclass(frozen=True, slots=True)
class Member:
    """A weight, a vector or a kernel, measured.

    Attributes:
        tower: decoder, encoder, vision, ...
        layer: Its block, or None.
        role: See `tensors.roles`; `norm`, `bias`, `vector`, or `kernel`.
        group: One of `GROUPS`.
        shape: Out x in; of vectors one row.
        parameters: How many numbers.
        bytes: What it takes.
        dtype: How it is stored.
        stored: Where.
        expert: Whether it is an expert's.
    """

    tower: str
    layer: int | None
    role: str
    group: str
    shape: tuple[int, int]
    parameters: int
    bytes: int
    dtype: str
    stored: Stored
    expert: bool = False


def members(view: View, kernels: Sequence[Stored], footprints: Footprints) -> tuple[Member, ...]:
    """Measure all that counts as parameters.

    Args:
        view: The canonical view.
        kernels: Parameters that are in neither of its lists: convolutions.
        footprints: Counts bytes.
    """
    found = []
    towers = {
        each.name: tower for tower, same in by_tower([*(w.stored for w in view.weights), *kernels]).items() for each in same
    }
    for weight in view.weights:
        expert = weight.expert is not None
        group = "experts" if expert else _GROUP.get(weight.role, "other matrices")
        size = weight.shape[0] * weight.shape[1]
        taken = footprints.share(weight)
        dtype = stored_as(weight.stored)
        found.append(
            Member(weight.stack, weight.layer, weight.role, group, weight.shape, size, taken, dtype, weight.stored, expert)
        )
    for vector in view.vectors:
        rows, columns = extent(vector.stored)
        found.append(
            Member(
                vector.stack, vector.layer, vector.role, "norms, biases", (rows, columns), rows * columns,
                footprints.of(vector.stored), stored_as(vector.stored), vector.stored,
            )
        )  # fmt: skip
    for stored in kernels:
        rows, columns = extent(stored)
        taken = footprints.of(stored)
        tower = towers.get(stored.name, "")
        found.append(
            Member(tower, None, "kernel", "convolutions", (rows, columns), rows * columns, taken, stored_as(stored), stored)
        )
    return tuple(found)


def _towers(view: View, kernels: Sequence[Stored]) -> Mapping[str, str]:
    around = by_tower([*(weight.stored for weight in view.weights), *kernels])
    return {stored.name: tower for tower, same in around.items() for stored in same}


def stored_as(stored: Stored) -> str:
    """Return how a tensor is stored, with a mark if an adapter changes it."""
    if isinstance(stored, AdaptedTensor):
        return f"{stored_as(stored.base)} + adapter"
    return f"{stored.dtype} of the adapter" if isinstance(stored, WholeTensor) else stored.dtype


def parts(found: Sequence[Member]) -> tuple[Part, ...]:
    """Sum up by tower and group."""
    groups: dict[tuple[str, str], list[Member]] = defaultdict(list)
    for each in found:
        groups[each.tower, each.group].append(each)
    ordered = sorted(groups, key=lambda key: (_tower_rank(key[0]), key[0], GROUPS.index(key[1])))
    return tuple(
        Part(
            tower,
            group,
            sum(each.parameters for each in groups[tower, group]),
            sum(each.bytes for each in groups[tower, group]),
            dtypes_of(groups[tower, group]),
        )
        for tower, group in ordered
    )


def dtypes_of(found: Sequence[Member]) -> tuple[str, ...]:
    """Return how members are stored, what takes most bytes first."""
    counted = Counter[str]()
    for each in found:
        counted[each.dtype] += each.bytes
    return tuple(sorted(counted, key=lambda dtype: (-counted[dtype], dtype)))


def blocks(found: Sequence[Member]) -> tuple[BlockBytes, ...]:
    """Sum up block by block, what lies outside first."""
    counted: dict[tuple[str, int | None], Counter[str]] = defaultdict(Counter)
    for each in found:
        counted[each.tower, each.layer][each.group] += each.bytes
    ordered = sorted(counted, key=lambda key: (_tower_rank(key[0]), key[0], -1 if key[1] is None else key[1]))
    return tuple(
        BlockBytes(
            tower, layer, tuple((group, counted[tower, layer][group]) for group in GROUPS if counted[tower, layer][group])
        )
        for tower, layer in ordered
    )


def kinds(found: Sequence[Member]) -> tuple[BlockKind, ...]:
    """Find blocks that hold the same matrices."""
    inside: dict[tuple[str, int], list[Member]] = defaultdict(list)
    for each in found:
        if each.layer is not None:
            inside[each.tower, each.layer].append(each)
    alike: dict[tuple[object, ...], list[tuple[str, int]]] = defaultdict(list)
    held: dict[tuple[object, ...], Mapping[tuple[str, tuple[int, int]], int]] = {}
    for place in sorted(inside, key=lambda key: (_tower_rank(key[0]), *key)):
        counted = Counter(_entry(each) for each in inside[place] if each.group != "norms, biases")
        key = (place[0], tuple(counted.items()))
        alike[key].append(place)
        held[key] = counted
    return tuple(
        BlockKind(
            places[0][0],
            tuple(layer for _, layer in places),
            tuple((role, count, shape) for (role, shape), count in held[key].items()),
            sum(each.parameters for each in inside[places[0]]),
            _range(sum(each.bytes for each in inside[place]) for place in places),
        )
        for key, places in alike.items()
    )


def encodings(found: Sequence[Member]) -> tuple[Encoding, ...]:
    """Sum up by way of storing."""
    groups: dict[str, list[Member]] = defaultdict(list)
    for each in found:
        groups[each.stored.dtype].append(each)
    made = [
        Encoding(
            dtype,
            len({id(each.stored) for each in members}),
            sum(each.parameters for each in members),
            sum(each.bytes for each in members),
            all(can_decode(each.stored) for each in members),
        )
        for dtype, members in groups.items()
    ]
    return tuple(sorted(made, key=lambda each: (-each.bytes, each.dtype)))


def can_decode(stored: Stored) -> bool:
    """Say whether a tensor's numbers can be read: every part of it is of a plain dtype, or of a type of GGUF that is known."""
    return isinstance(stored, Packed) or all(part.dtype in PLAIN or _known_to_gguf(part.dtype) for part in tensors_of(stored))


@cache
def _known_to_gguf(dtype: str) -> bool:
    try:
        _, size = block(dtype)
        dequantise(np.zeros((1, size), np.uint8), dtype)
    except (KeyError, NotImplementedError):
        return False
    return True


def _entry(member: Member) -> tuple[str, tuple[int, int]]:
    return (f"expert {member.role}" if member.expert else member.role), member.shape


def _range(numbers: Iterator[int]) -> tuple[int, int]:
    ordered = sorted(numbers)
    return ordered[0], ordered[-1]


def _tower_rank(tower: str) -> int:
    return LANGUAGE_STACKS.index(tower) if tower in LANGUAGE_STACKS else len(LANGUAGE_STACKS) + (not tower)
