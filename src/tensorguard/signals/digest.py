"""The digest of a tensor's values: equal values give equal digests, whatever the container, dtype, sharding or name.

Values are digested as little-endian float32 in canonical row order, which every lossless cast keeps. A block of rows that holds nothing
but bfloat16 numbers (the lower 16 bits of every float32 are zero) is digested as the upper 16 bits: half the bytes, half the time.

Different tensors do not get one BLAKE3-128 digest by chance; who makes both tensors can force it with about 2^64 tries, and a digest
in a file is the file's claim.
"""

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from tensorguard.tensors.base import Float32

BYTES = 16
"""Length of a digest."""

BLOCK_ELEMENTS = 2**18
"""Elements that are digested at a time; changing it changes every digest."""


def block_rows(width: int) -> int:
    """Return how many rows of a matrix with `width` columns make a block."""
    return max(1, BLOCK_ELEMENTS // max(1, width))


def block_digest(values: Float32, bfloat16: NDArray[np.uint16] | None = None) -> bytes:
    """Return the digest of a block of rows.

    Args:
        values: C-contiguous float32 of shape (rows, columns); not looked at if `bfloat16` is given.
        bfloat16: The upper halves of the same values, if it is known that their lower halves are zero.
    """
    upper = _upper_halves(values) if bfloat16 is None else bfloat16
    digested = np.ascontiguousarray(values, "<f4") if upper is None else np.ascontiguousarray(upper, "<u2")
    return blake3(digested.view(np.uint8).data).digest(BYTES)


def _upper_halves(values: Float32) -> NDArray[np.uint16] | None:
    """Return the upper halves of float32 values, or None where some lower half is not zero."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    for part in (bits[:1], bits):  # the first row mostly tells
        if np.bitwise_or.reduce(part, axis=None) & 0xFFFF:
            return None
    return (bits >> 16).astype(np.uint16)


def tensor_digest(shape: tuple[int, ...], blocks: list[bytes]) -> str:
    """Return the digest of a tensor, in hexadecimal, from its shape and the digests of its blocks in row order.

    Which rows make a block has to depend on the shape alone.
    """
    whole = blake3(np.array(shape, "<u8").tobytes())
    for block in blocks:
        whole.update(block)
    return whole.digest(BYTES).hex()
