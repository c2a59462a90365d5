"""The digest of a tensor's values: equal values give equal digests, whatever the container, dtype, sharding or name.

Values are digested as little-endian float32 in canonical row order, which every lossless cast keeps. Different tensors do not get one
BLAKE3-128 digest by chance; who makes both tensors can force it with about 2^64 tries, and a digest in a file is the file's claim.
"""

import numpy as np
from blake3 import blake3

from tensorguard.tensors.base import Float32

BYTES = 16
"""Length of a digest."""

BLOCK_ELEMENTS = 2**18
"""Elements that are digested at a time; changing it changes every digest."""


def block_rows(width: int) -> int:
    """Return how many rows of a matrix with `width` columns make a block."""
    return max(1, BLOCK_ELEMENTS // max(1, width))


def block_digest(values: Float32) -> bytes:
    """Return the digest of a block of rows, C-contiguous float32 of shape (rows, columns)."""
    return blake3(np.ascontiguousarray(values, "<f4").view(np.uint8).data).digest(BYTES)


def tensor_digest(shape: tuple[int, ...], blocks: list[bytes]) -> str:
    """Return the digest of a tensor, in hexadecimal, from its shape and the digests of its blocks in row order.

    Which rows make a block has to depend on the shape alone.
    """
    whole = blake3(np.array(shape, "<u8").tobytes())
    for block in blocks:
        whole.update(block)
    return whole.digest(BYTES).hex()
