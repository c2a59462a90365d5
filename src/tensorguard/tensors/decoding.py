"""Bytes to float32, for every plain dtype. Quantised GGUF blocks are in `quantised`."""

from collections.abc import Mapping

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from tensorguard.tensors.base import Float32

PLAIN: Mapping[str, np.dtype[np.generic]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
    "F8_E5M2": np.dtype(ml_dtypes.float8_e5m2),
    "F8_E8M0": np.dtype(ml_dtypes.float8_e8m0fnu),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("bool"),
}
"""Canonical dtype name -> little-endian numpy dtype; one element is `itemsize` bytes."""


FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
"""Dtypes that weights are trained in: an adapter's factors may have them, and float32 can be rounded to them."""


def decode(raw: NDArray[np.uint8], dtype: str) -> Float32:
    """Turn the bytes of plain elements into float32.

    Args:
        raw: uint8 of shape (..., n * itemsize), C-contiguous.
        dtype: A key of `PLAIN`.

    Returns:
        float32 of shape (..., n), a view of `raw` where it is float32 already. F64 and 64-bit integers are rounded, F64 beyond
        float32's range becomes infinite; all others are exact up to 2^24.
    """
    with np.errstate(over="ignore"):
        return raw.view(PLAIN[dtype]).astype(np.float32, copy=False)
