"""Numbers of a few bits: streams of them, and the tables that four of them index."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorguard.tensors.base import Float32

E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)
"""FP4 of the OCP microscaling specification 1.0, section 5.3.3: sign, two bits of exponent, one of mantissa."""


def bitfields(raw: NDArray[np.uint8], bits: int, count: int) -> NDArray[np.uint8]:
    """Cut rows of bytes into numbers, lowest bits first, across the borders of bytes.

    Args:
        raw: uint8 of shape (rows, bytes), at least `count * bits / 8` bytes.
        bits: 1 to 8.
        count: Numbers in a row.

    Returns:
        uint8 of shape (rows, count).
    """
    if bits == 8:
        return raw[:, :count]
    if 8 % bits == 0:
        return _of_byte(bits)[raw].view(np.uint8).reshape(len(raw), raw.shape[1] * (8 // bits))[:, :count]
    first, shift = np.divmod(np.arange(count) * bits, 8)
    padded = np.pad(raw, ((0, 0), (0, 1))).astype(np.uint16)
    window = padded[:, first] | padded[:, first + 1] << np.uint16(8)
    return (window >> shift.astype(np.uint16) & np.uint16((1 << bits) - 1)).astype(np.uint8)


@cache
def _of_byte(bits: int) -> NDArray[np.unsignedinteger[Any]]:
    """Return the numbers of 1, 2 or 4 bits that each of the 256 bytes holds, as one word of a byte for each number."""
    numbers = np.arange(256)[:, None] >> np.arange(0, 8, bits) & (1 << bits) - 1
    return numbers.astype(np.uint8).view(f"u{8 // bits}")[:, 0]


def by_group(operation: np.ufunc, numbers: Float32, values: NDArray[Any], size: int, start: int) -> None:
    """Subtract, multiply ... each row's groups by the value of the group, in place.

    Args:
        operation: `np.subtract`, `np.multiply`, `np.add`.
        numbers: C-contiguous, of shape (rows, n).
        values: Any numbers of shape (rows, groups): of the groups that columns start..start + n lie in.
        size: Columns of a group.
        start: Column of the first number.
    """
    rows, width = numbers.shape
    offset = start % size
    if offset == 0 and width % size == 0:
        blocks = numbers.reshape(rows, width // size, size)
        operation(blocks, values[:, :, None], out=blocks)
    else:
        operation(numbers, np.repeat(values, size, axis=1)[:, offset : offset + width], out=numbers)


def power_of_two(exponents: NDArray[np.uint8]) -> Float32:
    """Return 2^(e - 127), E8M0 scales of the OCP microscaling specification, section 5.4.1; float32 of the same shape.

    255 is infinite, as the reference code has it (`ldexp`); the specification calls it NaN, and no file holds it.
    """
    with np.errstate(over="ignore"):
        return np.ldexp(np.float32(1), exponents.astype(np.int32) - 127)
