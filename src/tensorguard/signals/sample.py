"""The row sample: a count sketch of one fixed, contiguous block of rows, so that one range of bytes per tensor can be compared.

The first rows of a matrix, 65,536 numbers of them (a function of the input width alone), are added up in 4,096 buckets with random signs
(Charikar, Chen, Farach-Colton 2002): cosines of sketches are unbiased for cosines of the rows, with a standard deviation of 1/64. Under a
secret key the rows lie where the key says: rows at a known place can be planted in a stranger, or changed in a copy.

Two matrices are compared bucket by bucket. Fifteen sixteenths of the product of two buckets are products of numbers from different
places, each with a random sign of the hash, whatever the weights; the rest are products from the same place, which for independent
weights are as often negative as positive. So under the null hypothesis the products' signs are fair coins given their sizes, and
Hoeffding's inequality bounds their sum, however unevenly the sizes are spread. What that leaves out is what the rows of independent
models agree on: it is allowed for by the factor that correlations are given, too (`rotations.UNEVEN`; here measured at most 1.19^2). A
matrix of one value is excluded by the caller: constants agree without having been copied.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tensorguard.probes.rademacher import Key
from tensorguard.signals.null_draws import SMALLEST_LOG10_P, Test
from tensorguard.signals.rotations import UNEVEN
from tensorguard.tensors.base import Float32

BUCKETS = 4096
"""Numbers in a sample."""

SAMPLED = frozenset({"v", "kv_b", "up", "down", "fc_in", "fc_out", "ssm_in"})
"""Roles that are sampled: those whose rows no container reorders."""

_ELEMENTS = 2**16


def sample_rows(width: int) -> int:
    """Return how many rows of a matrix with `width` columns are sampled."""
    return max(1, _ELEMENTS // max(1, width))


def sampled_rows(rows: int, width: int, *, secret: bool) -> tuple[int, int]:
    """Return how many rows of a matrix are sampled, and in how many places they may lie: of unequal ones nothing can be compared."""
    count = min(rows, sample_rows(width))
    return count, 1 << (rows // max(1, count)).bit_length() - 1 if secret and count else 1


def first_row(key: Key, role: str, rows: int, width: int) -> int:
    """Return the first row that is sampled: 0, or another that a secret key draws for this role, width and number of places."""
    count, places = sampled_rows(rows, width, secret=bool(key.secret))
    return 0 if places == 1 else count * (1 + int(key.words(f"lineage/sample/{role}/{width}", 1)[0]) % (places - 1))


def row_sample(key: Key, rows: Float32) -> NDArray[np.int8]:
    """Return the sketch of some rows of a matrix, float32 of shape (rows, d): int8 up to scale of shape (4096,)."""
    buckets, signs = _places(key, rows.size)
    sums = np.bincount(buckets, weights=rows.ravel() * signs, minlength=BUCKETS)
    largest = np.abs(sums).max()
    return np.round(sums * (127 / largest) if largest > 0 else sums).astype(np.int8)


def sample_test(A: NDArray[np.int8], B: NDArray[np.int8]) -> Test:
    """Test the mean cosine of samples of matrices in the same places.

    Args:
        A: The first model's, of shape (pairs, 4096).
        B: The second's.
    """
    products = _unit(A) * _unit(B) / max(1, len(A))
    statistic, variance = float(products.sum()), UNEVEN * float((products**2).sum())
    if not variance > 0:
        return Test(statistic, 0.0, 0.0, statistic, 0.0, 0.0, "conditional")
    sd = float(np.sqrt(variance))
    log10_p = -(max(0.0, statistic) ** 2) / (2 * variance) / np.log(10)
    return Test(statistic, 0.0, sd, statistic, statistic / sd, max(SMALLEST_LOG10_P, float(log10_p)), "conditional")


def _unit(samples: NDArray[np.int8]) -> NDArray[np.float64]:
    wide = samples.astype(np.float64)
    unit: NDArray[np.float64] = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1.0)
    return unit


@lru_cache(maxsize=4)
def _places(key: Key, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    words = key.words("lineage/sample", count)
    return (words % np.uint64(BUCKETS)).astype(np.int64), (words >> np.uint64(63)).astype(np.float64) * 2 - 1
