"""float32 to bytes of a floating-point dtype: the way back from `decoding`."""

import numpy as np
from numpy.typing import NDArray

from tensorguard.tensors.base import Float32
from tensorguard.tensors.decoding import PLAIN


def encode(values: Float32, dtype: str) -> NDArray[np.generic]:
    """Round float32 to a dtype, to nearest with ties to even (IEEE 754); what is too large becomes infinite.

    Args:
        values: float32 of any shape.
        dtype: One of `FLOATS`.

    Returns:
        A little-endian array of the same shape; `values` itself if they are float32.
    """
    with np.errstate(over="ignore"):
        return values.astype(PLAIN[dtype], copy=False)
