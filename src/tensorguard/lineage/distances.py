"""How far apart two linked models are: the length of what has to be added to one to get the other, relative to the weights."""

from collections.abc import Sequence

import numpy as np

from tensorguard.fingerprint.sketches import Sketches
from tensorguard.lineage.blocks import RELATED, block_sources
from tensorguard.lineage.matching import match


def distance(first: Sketches, second: Sketches) -> float | None:
    """Return the relative difference of two models' weights, symmetric; None if they cannot be compared number by number.

    Models of equal depth are compared in place; of unequal depth block by block with the closest block, the shorter with the longer
    or the other way round, whichever is closer. Models in different bases of the residual stream, or whose neurons were permuted,
    cannot be compared.
    """
    alike = len(first.blocks) == len(second.blocks)
    found = _in_place(first, second) if alike else min(_by_block(first, second), _by_block(second, first))
    return found if found < RELATED else None


def _in_place(first: Sketches, second: Sketches) -> float:
    matching = match(first, {"": second}, None)
    return float(np.sqrt(np.mean([_square(first, second, row) for row in matching.rows]))) if matching.rows else np.inf


def _square(first: Sketches, second: Sketches, row: Sequence[int]) -> float:
    x, y = first.response[row[0]].astype(np.float64), second.response[row[1]].astype(np.float64)
    return float(np.sum((x - y) ** 2) / np.sqrt(np.sum(x**2) * np.sum(y**2)))


def _by_block(first: Sketches, second: Sketches) -> float:
    found = [block.difference for block in block_sources(first, {"": second})]
    return float(np.sqrt(np.mean(np.square(found)))) if found else np.inf
