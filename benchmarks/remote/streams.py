"""Weights that need no disk: number i of a tensor is a function of a seed, the tensor's name and i.

Bits are those of Philox 4x64 (Salmon et al., 2011), a counter-based generator: any stretch of a stream costs what it is long. Sixteen of
them choose one of 65,536 quantiles of a normal distribution, as BF16.
"""

import hashlib
from functools import lru_cache
from itertools import pairwise
from typing import TypeVar

import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from scipy import stats

Bits = NDArray[np.uint16]
"""BF16 numbers as their bits."""

Index = NDArray[np.intp]

Number = TypeVar("Number", np.uint16, np.float32)

_WORDS = 16
"""16-bit words in one step of the counter."""

NORMAL = stats.norm.ppf((np.arange(1 << 16) + 0.5) / (1 << 16)).astype(np.float32)
"""What a word stands for."""


def key_of(*parts: object) -> int:
    """Return the key of a stream of its own."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=16).digest(), "little")


def rows_of_words(key: int, index: Index, columns: int) -> Bits:
    """Return some rows of an endless matrix of words, uniform in 0 ... 65535, of shape (len(index), columns)."""
    generator = np.random.Philox(key=key)
    state = generator.state
    found = np.empty((len(index), columns), np.uint16)
    breaks = [0, *(np.flatnonzero(np.diff(index) != 1) + 1).tolist(), len(index)]
    for begin, end in pairwise(breaks):
        first, skipped = divmod(int(index[begin]) * columns, _WORDS)
        count = (end - begin) * columns
        state["state"]["counter"][0] = first
        generator.state = state
        drawn = generator.random_raw(4 * -(-(skipped + count) // _WORDS)).view(np.uint16)
        found[begin:end] = drawn[skipped : skipped + count].reshape(-1, columns)
    return found


def looked_up(table: NDArray[Number], found: Bits) -> NDArray[Number]:
    """Return what words stand for."""
    return np.take(table, found, mode="clip")  # twice as fast as with bounds checked, and words cannot exceed them


def to_bits(values: NDArray[np.float32]) -> Bits:
    """Round to BF16."""
    bits: Bits = values.astype(ml_dtypes.bfloat16).view(np.uint16)
    return bits


def to_float(bits: Bits) -> NDArray[np.float32]:
    """Widen BF16 numbers."""
    wide: NDArray[np.float32] = (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return wide


@lru_cache(maxsize=256)
def normal_bits(scale: float) -> Bits:
    """Return what words stand for in a matrix of a given standard deviation."""
    return to_bits(NORMAL * np.float32(scale))


@lru_cache(maxsize=8)
def gain_bits(spread: float) -> Bits:
    """Return what words stand for in a norm's gain: log-normal around 1."""
    return to_bits(np.exp(NORMAL * np.float32(spread)))
