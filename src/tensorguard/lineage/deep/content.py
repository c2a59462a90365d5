"""Matrices whose place tells nothing: renamed, or in blocks that were moved. Their values tell which is which."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy.optimize import linear_sum_assignment

from tensorguard.engines.base import Engine
from tensorguard.lineage.deep.pairs import Pair
from tensorguard.probes.rademacher import Key, signs
from tensorguard.tensors.base import Float32
from tensorguard.tensors.weight import Weight

_ROWS, _COLUMNS = 64, 16
_SURE = 0.5
"""Least cosine of two sketches, which have a standard deviation of about 1/32."""

_TILE_ELEMENTS = 2**19


@dataclass(frozen=True, slots=True)
class _Task:
    weight: Weight
    key: Key


def match_by_content(
    first: Sequence[Weight], second: Sequence[Weight], engine: Engine, key: Key
) -> tuple[list[Pair], list[list[Weight]]]:
    """Pair matrices that have no partner in their place with one of equal shape and like values.

    Args:
        first: What is left of the first model.
        second: Of the second.
        engine: Runs the tasks; each matrix that has a candidate is read once.
        key: Whose probes.

    Returns:
        Pairs, with the role that the second model's names give; and what is left of both models still.

    Raises:
        InputError: A matrix cannot be read or decoded.
    """
    shapes: dict[tuple[int, int], tuple[list[Weight], list[Weight]]] = defaultdict(lambda: ([], []))
    for side, weights in enumerate((first, second)):
        for weight in weights:
            if min(weight.shape) > 1:
                shapes[weight.shape][side].append(weight)
    candidates = [both for both in shapes.values() if both[0] and both[1]]
    sketches = engine.map(_sketch, [_Task(weight, key) for both in candidates for side in both for weight in side])
    pairs, paired = [], set[int]()
    for ours, theirs in candidates:
        A, B = (np.stack([next(sketches) for _ in side]) for side in (ours, theirs))
        cosines = A @ B.T
        for i, j in zip(*linear_sum_assignment(-cosines), strict=True):
            if cosines[i, j] > _SURE:
                pairs.append(Pair(ours[i], theirs[j], ours[i].shape[0], theirs[j].role))
                paired |= {id(ours[i]), id(theirs[j])}
    return pairs, [[weight for weight in side if id(weight) not in paired] for side in (first, second)]


def _sketch(task: _Task) -> Float32:
    """Return P^T W X as one vector of norm 1: float32 of shape (1024,)."""
    rows, width = task.weight.shape
    X = signs(task.key.words("deep/content/columns", width), 0, _COLUMNS)
    step = max(1, _TILE_ELEMENTS // width)
    total = np.zeros((_ROWS, _COLUMNS))
    for start in range(0, rows, step):
        stop = min(start + step, rows)
        P = signs(task.key.words("deep/content/rows", stop - start, start), 0, _ROWS)
        total += P.T @ (task.weight.rows(start, stop) @ X)
    norm = float(np.linalg.norm(total))
    return cast(Float32, (total.ravel() / (norm or 1.0)).astype(np.float32))
