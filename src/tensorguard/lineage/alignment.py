"""Which blocks of one model go with which of another: alignments through a matrix of block-by-block similarities."""

import numpy as np
from numpy.typing import NDArray

Pairs = tuple[tuple[int, int], ...]
"""Pairs (block of the first, block of the second), in order of the first."""


def path_scores(similarity: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the largest sum along a monotone path through each matrix.

    A path takes each block of the shallower model to a later and later one of the deeper, gaps allowed.

    Args:
        similarity: Of shape (..., LA, LB), finite.

    Returns:
        Of shape (...).
    """
    best: NDArray[np.floating] = _best_sums(_shallow_first(similarity))[-1][-1]
    return best


def best_path(similarity: NDArray[np.floating]) -> Pairs:
    """Return the path of `path_scores` through one matrix of shape (LA, LB); of equally good paths the earliest blocks."""
    shallow = _shallow_first(similarity)
    sums = _best_sums(shallow)
    gaps = shallow.shape[1] - shallow.shape[0]
    found: list[tuple[int, int]] = []
    for row in range(shallow.shape[0] - 1, -1, -1):
        while gaps > 0 and sums[row + 1][gaps - 1] >= sums[row + 1][gaps]:
            gaps -= 1
        found.append((row, row + gaps))
    flipped = similarity.shape[0] > similarity.shape[1]
    return tuple((b, a) if flipped else (a, b) for a, b in reversed(found))


def best_assignment(similarity: NDArray[np.floating]) -> Pairs:
    """Return the one-to-one pairs of blocks, in whatever order, with the largest sum (linear assignment) in a matrix (LA, LB)."""
    from scipy.optimize import linear_sum_assignment  # takes long to load, and few pairs need it

    rows, columns = linear_sum_assignment(similarity, maximize=True)
    return tuple(zip(rows.tolist(), columns.tolist(), strict=True))


def assignment_sums(similarity: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the sum over `best_assignment` of each of many matrices, of shape (N,) for (N, LA, LB)."""
    from scipy.optimize import linear_sum_assignment

    pairs = [linear_sum_assignment(each, maximize=True) for each in similarity]
    return np.array([each[chosen].sum(dtype=np.float64) for each, chosen in zip(similarity, pairs, strict=True)])


def pair_sum(similarity: NDArray[np.floating], pairs: Pairs) -> float:
    """Return the sum of a matrix's entries at some pairs."""
    return float(sum(similarity[a, b] for a, b in pairs))


def _shallow_first(similarity: NDArray[np.floating]) -> NDArray[np.floating]:
    return similarity if similarity.shape[-2] <= similarity.shape[-1] else np.swapaxes(similarity, -1, -2)


def _best_sums(shallow: NDArray[np.floating]) -> list[NDArray[np.floating]]:
    """Return for each number of rows the best sum that leaves at most 0, 1, ... columns out so far, arrays of shape (LB - LA + 1, ...).

    All rows need a column: row i lies in columns i to i + LB - LA. Matrices lie side by side in memory, for many are summed at a time.
    """
    rows, columns = shallow.shape[-2:]
    beside = np.ascontiguousarray(np.moveaxis(shallow, (-2, -1), (0, 1)))
    sums = [np.zeros((columns - rows + 1, *shallow.shape[:-2]), shallow.dtype)]
    for row in range(rows):
        ending = beside[row, row : row + len(sums[0])] + sums[-1]
        sums.append(np.maximum.accumulate(ending, axis=0))
    return sums
