"""Which neuron of one block is which of another: each other's nearest reader, by a sketch of 64 columns.

Signs and scales of a reader do not matter. Mutual nearest neighbours need no memory for all pairs and no n^3 of time, and who has
no partner stays without one, which an assignment would hide.
"""

import numpy as np
from numpy.typing import NDArray

from tensorguard.tensors.base import Float32

COLUMNS = 64
"""Columns of the sketch: a cosine is told to 1/8, so a neuron of cosine 0.7 stands out of 10,000 others."""

MATCHED = 0.6
"""Least |cosine| of two sketches: above what 14,000 unrelated neurons reach by chance (0.53)."""

_BLOCK = 1024


def match_neurons(first: Float32, second: Float32) -> NDArray[np.int64]:
    """Match the rows of two sketches.

    Args:
        first: Responses of the first block's readers, float32 of shape (n, columns).
        second: Of the second block's to the same inputs in its own basis, float32 of shape (m, columns).

    Returns:
        Partner of every row of the first, -1 for none, int64 of shape (n,).
    """
    A, B = _directions(first), _directions(second)
    nearest, near = np.empty(len(A), np.int64), np.empty(len(A), np.float32)
    best = np.full(len(B), -1.0, np.float32)
    back = np.full(len(B), -1, np.int64)
    for start in range(0, len(A), _BLOCK):
        cosines = np.abs(A[start : start + _BLOCK] @ B.T)
        nearest[start : start + _BLOCK] = cosines.argmax(1)
        near[start : start + _BLOCK] = cosines.max(1)
        row = cosines.argmax(0)
        value = cosines[row, np.arange(len(B))]
        better = value > best
        best[better], back[better] = value[better], start + row[better]
    mutual = (back[nearest] == np.arange(len(A))) & (near > MATCHED)
    return np.where(mutual, nearest, -1)


def _directions(rows: Float32) -> Float32:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Float32 = (rows / np.where(norms > 0, norms, 1)).astype(np.float32)
    return unit
