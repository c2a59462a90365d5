"""Random numbers that never change: raw bits of a counter-based generator, turned into numbers by our own code.

Library generators may change the numbers they draw from one release to the next; the raw 64-bit outputs of Philox4x64-10
(Salmon et al. 2011) may not. Every number here is a function of (seed, stream, row, position) alone, so a longer vector keeps
its prefix and no vector depends on what was drawn before it.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

_PER_COUNT = 4
"""Words that one value of the counter gives."""


def raw(seed: int, stream: str, row: int, count: int, start: int = 0) -> NDArray[np.uint64]:
    """Return `count` raw 64-bit numbers of row `row` of a named stream, uint64 of shape (count,).

    Args:
        seed: Any integer from 0 to 2^64 - 1.
        stream: What the numbers are for; different names give independent streams.
        row: Index of the vector in the stream, from 0.
        count: How many.
        start: Position of the first.
    """
    tag = int.from_bytes(hashlib.blake2b(stream.encode(), digest_size=8).digest(), "little")
    key = np.array([seed, tag], np.uint64)
    counter = np.array([start // _PER_COUNT, 0, 0, row], np.uint64)
    before = start % _PER_COUNT
    return np.random.Philox(key=key, counter=counter).random_raw(before + count)[before:]


def normals(seed: int, stream: str, row: int, count: int) -> NDArray[np.float64]:
    """Return `count` standard normal numbers, float64 of shape (count,), by the Box-Muller transform of `raw`."""
    pairs = (count + 1) // 2
    bits = raw(seed, stream, row, 2 * pairs)
    uniform = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    radius = np.sqrt(-2.0 * np.log(uniform[0::2]))
    angle = 2.0 * np.pi * uniform[1::2]
    out = np.empty(2 * pairs)
    out[0::2] = radius * np.cos(angle)
    out[1::2] = radius * np.sin(angle)
    return out[:count]


def choices(seed: int, stream: str, count: int, options: int) -> NDArray[np.int64]:
    """Return `count` numbers from 0 to `options` - 1, int64 of shape (count,); the bias of the remainder is below 2^-60."""
    return (raw(seed, stream, 0, count) % np.uint64(options)).astype(np.int64)
