"""Rows that lie in their file as bfloat16, unconverted: half the bytes to look at, where only their bits matter."""

import numpy as np
from numpy.typing import NDArray

from tensorguard.tensors.base import Stored, extent
from tensorguard.tensors.storage import StoredTensor
from tensorguard.tensors.weight import Weight


def bfloat16_bits(tensor: Weight | Stored, start: int, stop: int) -> NDArray[np.uint16] | None:
    """Return the bits of rows start..stop, uint16 of shape (rows, columns): the upper halves of the same values as float32.

    None where the file holds something else, or these rows in another order.

    Raises:
        InputError: The bytes cannot be read.
    """
    first, stored = 0, tensor
    if isinstance(tensor, Weight):
        first, stored = tensor.order.offset, tensor.stored
        if tensor.transposed or tensor.order.size or tensor.order.rotary or tensor.shape[1] != extent(stored)[1]:
            return None
    if not isinstance(stored, StoredTensor) or stored.dtype != "BF16":
        return None
    raw = stored.plain_bytes(slice(first + start, first + stop), slice(0, extent(stored)[1]))
    return raw.view("<u2")
