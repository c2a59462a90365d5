"""Rounding to 16 bits, and the size of the error that it makes."""

import ml_dtypes
import numpy as np

from tensorguard.tensors.base import Float32

MANTISSA = {"bf16": 7, "f16": 10, "f32": 23}
"""Bits behind the leading one."""

_EXPONENT = np.uint32(0x7F800000)


def to_bf16(values: Float32) -> Float32:
    """Return values rounded to bfloat16, as float32."""
    return values.astype(ml_dtypes.bfloat16).astype(np.float32)


def to_f16(values: Float32) -> Float32:
    """Return values rounded to float16, as float32."""
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(np.float16).astype(np.float32)


def bf16_exact(values: Float32) -> int:
    """Return how many values bfloat16 holds exactly."""
    return int(np.count_nonzero((values.view(np.uint32) & np.uint32(0xFFFF)) == 0))


def f16_exact(values: Float32) -> int:
    """Return how many values float16 holds exactly, but for its range: that is looked at only where all have short enough a significand."""
    short = int(np.count_nonzero((values.view(np.uint32) & np.uint32(0x1FFF)) == 0))
    return short if short < values.size else int(np.count_nonzero(to_f16(values) == values))


def power_squares(values: Float32) -> float:
    """Return the sum of 4^e over all values, 2^e the largest power of two not above |value|."""
    powers = (values.view(np.uint32) & _EXPONENT).view(np.float32)
    return float(np.square(powers, dtype=np.float64).sum())


def rounding_energy(powers: float, dtype: str) -> float:
    """Return the expected squared error of rounding values to a floating type: a unit in the last place squared, over 12.

    Args:
        powers: `power_squares` of the values.
        dtype: A key of `MANTISSA`.
    """
    return float(powers * 4.0 ** -MANTISSA[dtype] / 12)
