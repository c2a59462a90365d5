"""GGUF's quantised blocks to float32, by the decoder of the `gguf` package."""

import numpy as np
from gguf import GGMLQuantizationType, dequantize
from gguf.constants import GGML_QUANT_SIZES
from numpy.typing import NDArray

from tensorguard.tensors.base import Float32

_PREFIX = "GGUF:"


def block(dtype: str) -> tuple[int, int]:
    """Return (elements, bytes) of one block of a `GGUF:` dtype, or raise KeyError if it is not one."""
    if not dtype.startswith(_PREFIX):
        raise KeyError(dtype)
    elements, size = GGML_QUANT_SIZES[GGMLQuantizationType[dtype.removeprefix(_PREFIX)]]
    return int(elements), int(size)


def dequantise(raw: NDArray[np.uint8], dtype: str) -> Float32:
    """Decode whole blocks.

    Args:
        raw: uint8 of shape (rows, blocks * bytes per block).
        dtype: A `GGUF:` dtype.

    Returns:
        float32 of shape (rows, blocks * elements per block).

    Raises:
        NotImplementedError: The `gguf` package cannot decode this type.
    """
    return np.asarray(dequantize(raw, GGMLQuantizationType[dtype.removeprefix(_PREFIX)]), dtype=np.float32)
