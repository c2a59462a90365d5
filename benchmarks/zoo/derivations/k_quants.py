"""Packing GGUF's Q4_K, which the `gguf` package unpacks but does not pack (layout: ggml's block_q4_K)."""

import numpy as np
from numpy.typing import NDArray

_SUB = 8
_BLOCK = 256


def quantise_q4_k(blocks: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Pack blocks of 256 values into 144 bytes each.

    A value is d * scale * level - dmin * minimum: scale and minimum of 6 bits per 32 values, d and dmin float16 per 256.
    Levels come from the least and the largest value, without ggml's search for better scales.

    Args:
        blocks: n x 256.

    Returns:
        n x 144 bytes.
    """
    parts = blocks.reshape(-1, _SUB, _BLOCK // _SUB)
    lowest = np.minimum(parts.min(2), 0)
    steps = (parts.max(2) - lowest) / 15
    d, scales = _six_bits(steps)
    dmin, minima = _six_bits(-lowest)
    step = d[:, None].astype(np.float32) * scales
    offset = dmin[:, None].astype(np.float32) * minima
    levels = np.round((parts + offset[:, :, None]) / np.where(step, step, 1)[:, :, None])
    small = np.clip(levels, 0, 15).astype(np.uint8)
    nibbles = small[:, 0::2] | small[:, 1::2] << 4
    packed = [_bytes(d), _bytes(dmin), _pack_six(scales, minima), nibbles.reshape(len(blocks), -1)]
    return np.concatenate(packed, axis=1)


def _six_bits(values: NDArray[np.float32]) -> tuple[NDArray[np.float16], NDArray[np.uint8]]:
    """n x 8 values, none negative, as a float16 per row times integers below 64."""
    unit = (values.max(1) / 63).astype(np.float16)
    divisor = np.where(unit, unit, 1).astype(np.float32)[:, None]
    return unit, np.clip(np.round(values / divisor), 0, 63).astype(np.uint8)


def _pack_six(scales: NDArray[np.uint8], minima: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Sixteen numbers of 6 bits in twelve bytes: the first four of each whole, the others' top two bits above them."""
    first = scales[:, :4] | scales[:, 4:] >> 4 << 6
    second = minima[:, :4] | minima[:, 4:] >> 4 << 6
    third = scales[:, 4:] & 15 | (minima[:, 4:] & 15) << 4
    return np.concatenate([first, second, third], axis=1)


def _bytes(values: NDArray[np.float16]) -> NDArray[np.uint8]:
    return values[:, None].view(np.uint8)
