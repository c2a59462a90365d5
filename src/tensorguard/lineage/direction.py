"""Which of two linked models derives from the other, where their weights say so.

Fine-tuning as such leaves no arrow: the difference of two models is the same seen from either. What points is loss (rounding to a
grid, weights set to zero, blocks left out cannot be undone) and construction (blocks repeated, experts copied from one MLP).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tensorguard.fingerprint.sketches import Sketches
from tensorguard.lineage import rounding
from tensorguard.lineage.blocks import BlockSource, block_sources
from tensorguard.signals.traces import TRACES

CERTAIN, LIKELY = 0.98, 0.9
"""Chances given to evidence: of construction, of loss. Judgements, not measurements. A longer vocabulary is none: some are cut."""

_ZEROS = 0.05
_COARSER = 0.85
_COARSER_16 = 0.5
_CLOSE = 2.5


@dataclass(frozen=True, slots=True)
class Direction:
    """What speaks for one direction.

    Attributes:
        forward: True if the second derives from the first, False for the reverse.
        chance: That it is so, above 0.5.
        reason: In words; `{parent}` and `{child}` stand for the names.
    """

    forward: bool
    chance: float
    reason: str


def direction(first: Sketches, second: Sketches, distance: float) -> Direction | None:
    """Return what says which of two linked models derives from the other; None if nothing does.

    Args:
        first: A model.
        second: Another.
        distance: Relative difference of their weights.
    """
    found = [each for each in (_built(first, second), _lost(first, second, distance)) if each]
    return max(found, key=lambda each: each.chance, default=None)


def _built(first: Sketches, second: Sketches) -> Direction | None:
    """Blocks repeated or left out; a mixture of experts made of one MLP."""
    experts = [any(place.parts > 0 for place in model.places) for model in (first, second)]
    if experts[0] != experts[1]:
        return Direction(experts[1], LIKELY, "the experts of {child} were made of the MLP of {parent}")
    if len(first.blocks) == len(second.blocks):
        return None
    longer_is_second = len(second.blocks) > len(first.blocks)
    shorter, longer = (first, second) if longer_is_second else (second, first)
    repeated = block_sources(longer, {"": shorter})
    if all(block.clear for block in repeated) and _places(repeated) < len(repeated):
        return Direction(longer_is_second, CERTAIN, "blocks of {parent} stand more than once in {child}")
    kept = block_sources(shorter, {"": longer})
    if all(block.clear for block in kept) and _places(kept) == len(kept):
        return Direction(not longer_is_second, LIKELY, "{child} has only some of the blocks of {parent}")
    return None


def _places(blocks: Sequence[BlockSource]) -> int:
    return len({(block.stack, block.parent_layer) for block in blocks})


def _lost(first: Sketches, second: Sketches, distance: float) -> Direction | None:
    """Precision or weights that one has lost."""
    traces = [_median(model) for model in (first, second)]
    for at, (ours, theirs) in enumerate((traces, traces[::-1])):
        forward = at == 1  # `ours` lost something: it is the child.
        # 16 bits alone leave fewer distinct values, too, and so do zeros.
        coarser = _COARSER_16 if ours["bf16"] > rounding.EXACT > theirs["bf16"] else _COARSER
        least = coarser * min(1.0, (1.0 - ours["zeros"]) / max(1.0 - theirs["zeros"], 1e-3))
        if any(ours[name] < least * theirs[name] for name in ("distinct_32", "distinct_row")):
            return Direction(forward, LIKELY, "the weights of {child} lie on a coarse grid, those of {parent} do not")
        if ours["zeros"] > theirs["zeros"] + _ZEROS:
            return Direction(forward, LIKELY, "weights of {parent} are zero in {child}")
    grids = [rounding.grid(model, range(len(model.places))) for model in (first, second)]
    errors = [rounding.variance(kind) ** 0.5 for kind in grids]
    if errors[0] != errors[1] and 0.0 < distance < _CLOSE * max(errors):
        return Direction(errors[1] > errors[0], LIKELY, "{child} is {parent} rounded to 16 bits")
    return None


def _median(model: Sketches) -> dict[str, float]:
    return (
        dict(zip(TRACES, np.median(model.traces, axis=0).tolist(), strict=True))
        if len(model.traces)
        else dict.fromkeys(TRACES, 0.0)
    )
