"""The row sample: a count sketch of one fixed, contiguous block of rows, so that one range of bytes per tensor can be compared.

The first rows of a matrix, 65,536 numbers of them (a function of the input width alone), are added up in 4,096 buckets with random signs
(Charikar, Chen, Farach-Colton 2002): cosines of sketches are unbiased for cosines of the rows, with a standard deviation of 1/64.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tensorguard.probes.rademacher import Key
from tensorguard.tensors.base import Float32

BUCKETS = 4096
"""Numbers in a sample."""

SAMPLED = frozenset({"v", "up", "down", "fc_in", "fc_out"})
"""Roles that are sampled: those whose rows no container reorders."""

_ELEMENTS = 2**16


def sample_rows(width: int) -> int:
    """Return how many rows of a matrix with `width` columns are sampled."""
    return max(1, _ELEMENTS // max(1, width))


def row_sample(key: Key, rows: Float32) -> NDArray[np.int8]:
    """Return the sketch of a matrix's first rows, float32 of shape (rows, d): int8 up to scale of shape (4096,)."""
    buckets, signs = _places(key, rows.size)
    sums = np.bincount(buckets, weights=rows.ravel() * signs, minlength=BUCKETS)
    largest = np.abs(sums).max()
    return np.round(sums * (127 / largest) if largest > 0 else sums).astype(np.int8)


@lru_cache(maxsize=4)
def _places(key: Key, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    words = key.words("lineage/sample", count)
    return (words % np.uint64(BUCKETS)).astype(np.int64), (words >> np.uint64(63)).astype(np.float64) * 2 - 1
