"""How far apart two linked models are: the length of what has to be added to one to get the other, relative to the weights."""

import numpy as np

from tensorguard.fingerprint.sketches import Sketches
from tensorguard.lineage.blocks import RELATED, block_sources
from tensorguard.lineage.matching import match

COMPARABLE = 0.3
"""Share of matrices that have to resemble their counterparts."""


def distance(first: Sketches, second: Sketches) -> float | None:
    """Return the relative difference of two models' weights, from 0 to 1, symmetric; None if they cannot be compared.

    It is the root mean square over matrices; one without a counterpart of its shape, or with an unrelated one (permuted, in another
    basis), counts as 1. Models of equal depth are compared in place; of unequal depth each block of the longer with the closest block
    of the shorter, so that a repeated block costs nothing, and one that was left out counts as 1.
    """
    if len(first.blocks) != len(second.blocks):
        shorter, longer = sorted((first, second), key=lambda model: len(model.blocks))
        squares = _by_block(longer, shorter)
    else:
        squares = _in_place(first, second)
    if sum(square < RELATED**2 for square in squares) <= COMPARABLE * len(squares):
        return None
    return float(np.sqrt(np.mean(squares)))


def _in_place(first: Sketches, second: Sketches) -> list[float]:
    squares = []
    for a, b in match(first, {"": second}, None, enough=0.0).rows:
        x, y = first.response[a].astype(np.float64), second.response[b].astype(np.float64)
        squares.append(min(float(np.sum((x - y) ** 2) / np.sqrt(np.sum(x**2) * np.sum(y**2))), 1.0))
    return squares + [1.0] * (max(len(first.places), len(second.places)) - len(squares))


def _by_block(first: Sketches, second: Sketches) -> list[float]:
    return [min(block.difference, 1.0) ** 2 for block in block_sources(first, {"": second})]
