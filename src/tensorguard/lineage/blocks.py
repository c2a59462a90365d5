"""Which block of which model a block of another was copied from: the layer map of a passthrough merge, matrix by matrix in the same basis.

For blocks that were disguised or moved to another basis see `lineage.alignment`; here weights have to be (nearly) the same numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.fingerprint.sketches import Place, Sketches

Block = tuple[str, int]

CLEAR = 0.5
"""A source is named only if the best block of any other model, or any other block, is at least twice as far."""

DUST = 2e-4
"""Differences that rounding of the sketches makes."""

COPIED, EVEN = 10.0, 2.0
"""Blocks that were copied are so many times closer than those that were changed; these differ by up to this factor among themselves."""

RELATED = 0.9
"""Relative difference from which on two blocks count as unrelated (unrelated ones of equal norm: 1)."""


@dataclass(frozen=True, slots=True)
class BlockSource:
    """Where a block of the child comes from.

    Attributes:
        stack: Tower of the child's block.
        layer: Its index.
        parent: Name of the model that holds the closest block; None if nothing resembles it.
        parent_layer: That block's index, in the tower of the same name.
        difference: Relative difference, sine of the angle between the responses; 0 for a copy (up to a factor per matrix).
        runner_up: The smallest such difference to a block of another model.
        clear: The source is beyond doubt: twice as close as any other model's and any other block.
    """

    stack: str
    layer: int
    parent: str | None
    parent_layer: int | None
    difference: float
    runner_up: float
    clear: bool


def block_sources(child: Sketches, models: Mapping[str, Sketches]) -> tuple[BlockSource, ...]:
    """Return the source of each block of the child, in order."""
    ours = _directions(child)
    theirs = {name: _directions(model) for name, model in models.items()}
    found = []
    for stack, layer in child.blocks:
        distances: dict[tuple[str, int], float] = {}
        for name, blocks in theirs.items():
            for (tower, other), matrices in blocks.items():
                if tower == stack:
                    distances[name, other] = _difference(ours[stack, layer], matrices)
        found.append(_source(stack, layer, distances))
    return tuple(found)


def common(blocks: Sequence[BlockSource]) -> tuple[str, str] | None:
    """Return who has some of the model's blocks unchanged, and of whom all its blocks were made by change; None if that is not so.

    A fine-tune looks so beside its base and a merge that took blocks of it, and so does a merge beside one of its parents and the other's
    base: which of the two it is cannot be told.
    """
    parents = {block.parent for block in blocks}
    if len(parents) != 2 or None in parents:
        return None
    apart = {parent: float(np.median([block.difference for block in blocks if block.parent == parent])) for parent in parents}
    near, far = sorted(parents, key=lambda parent: apart[parent])
    also = float(np.median([block.runner_up for block in blocks if block.parent == near]))
    changed = apart[far] > COPIED * (apart[near] + DUST) and also < EVEN * apart[far]
    return (str(near), str(far)) if changed else None


def _source(stack: str, layer: int, distances: Mapping[tuple[str, int], float]) -> BlockSource:
    ranked = sorted(distances, key=lambda key: (distances[key], abs(key[1] - layer)))
    if not ranked or distances[ranked[0]] > RELATED:
        return BlockSource(stack, layer, None, None, 1.0, 1.0, clear=False)
    best = ranked[0]
    others = [distances[key] for key in ranked if key[0] != best[0]]
    second = distances[ranked[1]] if len(ranked) > 1 else 1.0
    difference = distances[best]
    return BlockSource(stack, layer, *best, difference, min(others, default=1.0), clear=difference + DUST < CLEAR * second)


def _directions(model: Sketches) -> dict[Block, dict[tuple[str, int, int], NDArray[np.float64]]]:
    """Return each block's responses at norm 1, by role and shape; a role that is there twice (unknown tensors) is left out."""
    found: dict[Block, dict[tuple[str, int, int], NDArray[np.float64]]] = {block: {} for block in model.blocks}
    twice = set()
    for place, response in zip(model.places, model.response, strict=True):
        if place.layer is None or (block := (place.stack, place.layer)) not in found:
            continue
        key, flat = _key(place), response.astype(np.float64).ravel()
        if key in found[block]:
            twice.add((block, key))
        norm = float(np.linalg.norm(flat))
        if norm > 0:
            found[block][key] = flat / norm
    for block, key in twice:
        found[block].pop(key, None)
    return found


def _key(place: Place) -> tuple[str, int, int]:
    return place.role, place.rows, place.columns


def _difference(first: Mapping[tuple[str, int, int], NDArray[np.float64]],
                second: Mapping[tuple[str, int, int], NDArray[np.float64]]) -> float:  # fmt: skip
    """Return the root mean square sine of the angles between matrices of equal role and shape; 1 if there are none."""
    shared = first.keys() & second.keys()
    if not shared:
        return 1.0
    # 2 sin^2(angle / 2) from the difference itself: 1 - cos^2 would lose small angles.
    gaps = np.array([min(float(np.sum((first[key] - second[key]) ** 2)), 2.0) for key in sorted(shared)])
    return float(np.sqrt(np.mean(gaps - gaps**2 / 4)))
