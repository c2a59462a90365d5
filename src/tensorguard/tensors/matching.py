"""Couplings between lists of series, and the matches that they show."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tensorguard.tensors.coupling import Faces, Scores, Side, faces
from tensorguard.tensors.series import Series

EVIDENT = 40.0
"""Mean coupling beyond chance that shows matches to be real: chance gives one match as much with probability 1e-9."""
LIKELY_HEADS = (128, 64, 256, 96, 80, 192, 112, 48, 40, 32, 24, 16)
"""Rows of a head, where nothing tells them."""

_SELECTIVE = 3.0
"""How much stronger matches must be than what is not matched: weights that are all alike share everything with everything."""

Block = dict[str, Series]
"""Role -> series."""
Sides = Sequence[Sequence[Side]]
"""Of each series, one side in each of the sampled layers."""


@dataclass(frozen=True, slots=True)
class Matched:
    """Matrices that share units.

    Attributes:
        blocks: Roles of each set.
        transposed: Whether all are stored as in x out.
        swapped: Whether a fused gate_up holds up first.
    """

    blocks: list[Block]
    transposed: bool
    swapped: bool = False


def between(first: Sides, second: Sides, measure: Callable[[Faces, Faces], Scores]) -> Scores:
    """Add up a measure over the sampled layers of two lists of series.

    Returns:
        float64 of shape (first, second).

    Raises:
        InputError: The bytes cannot be read.
    """
    score = np.zeros((len(first), len(second)))
    if score.size:
        among = len(first) + len(second)
        for layer in range(min(map(len, (*first, *second)))):
            score += measure(*(faces([sides[layer] for sides in each], among) for each in (first, second)))
    return score


def assigned(score: Scores) -> list[tuple[int, int]]:
    """Return the best one-to-one pairs of rows and columns."""
    from scipy.optimize import linear_sum_assignment  # it takes long to load, and models whose tensors have names need it not

    return [(int(i), int(j)) for i, j in zip(*linear_sum_assignment(-score), strict=True)]


def paired(score: Scores) -> list[tuple[int, int]]:
    """Pair the members of one list, the highest scores first."""
    left, pairs = set(range(len(score))), list[tuple[int, int]]()
    for i, j in sorted(zip(*np.tril_indices(len(score), -1), strict=True), key=lambda pair: -score[pair]):
        if i in left and j in left:
            left -= {i, j}
            pairs.append((int(i), int(j)))
    return pairs


def evident(score: Scores, pairs: Sequence[tuple[int, int]]) -> bool:
    """Say whether pairs are coupled beyond chance, and beyond what all others are."""
    if not pairs:
        return False
    matched = np.zeros(score.shape, np.bool_)
    matched[tuple(np.array(pairs).T)] = True
    strength, rest = score[matched].mean(), score[~matched]
    return bool(strength > EVIDENT and strength > _SELECTIVE * max(rest.mean() if rest.size else 0, 0))


def inner_size(each: Series, width: int) -> int:
    """Return the size of a matrix that is not the residual stream's."""
    rows, columns = each.shape
    return rows if columns == width else columns
