"""Effects between all models as a matrix, models that resemble each other side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from tensorguard.lineage.pair import Pair


@dataclass(frozen=True, slots=True)
class Effects:
    """Effects between n models.

    Attributes:
        names: The models, in the order of the tree's leaves.
        values: n x n, symmetric, in [0, 1], 1 on the diagonal; NaN where blocks could not be compared.
        tree: The average-linkage tree over 1 - effect in scipy's form, leaves numbered in the order of the models as given.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    tree: NDArray[np.float64]


def effects(pairs: Sequence[Pair]) -> Effects:
    """Return the matrix of effects of at least one pair; equal weights count as 1, what could not be compared clusters as 0."""
    names = list(dict.fromkeys(name for pair in pairs for name in (pair.first, pair.second)))
    values = np.full((len(names), len(names)), np.nan)
    np.fill_diagonal(values, 1.0)
    for pair in pairs:
        found = 1.0 if pair.lineage.verdict in ("identical", "same-weights") else pair.lineage.effect
        a, b = names.index(pair.first), names.index(pair.second)
        values[a, b] = values[b, a] = np.nan if found is None else min(max(found, 0.0), 1.0)
    distances = np.round(
        1.0 - np.nan_to_num(values), 3
    )  # models that act alike stand in the order given, whatever the last digits
    tree = linkage(squareform(distances, checks=False), "average", optimal_ordering=True)
    order = leaves_list(tree)
    return Effects(tuple(names[at] for at in order), values[np.ix_(order, order)], np.asarray(tree))
