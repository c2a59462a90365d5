"""bitsandbytes' LLM.int8(): rows of int8 and their largest magnitudes, `SCB` (functional.py, `int8_vectorwise_dequant`)."""

from dataclasses import dataclass

import numpy as np

from tensorguard.quantisations.base import Found, Packed, Parts, flat
from tensorguard.tensors.base import Float32
from tensorguard.tensors.decoding import decode
from tensorguard.tensors.storage import StoredTensor

_STEP = np.float32(7.874015718698502e-3)
"""1 / 127, in the digits of the library."""


@dataclass(frozen=True)
class Int8Tensor(Packed):
    """W = q * SCB / 127, row by row.

    Attributes:
        largest: `SCB`, (out,).
    """

    largest: StoredTensor

    def block(self, rows: slice, columns: slice) -> Float32:
        """Decode; see `Stored.read`."""
        numbers = self.main.read(rows, columns)
        numbers *= decode(flat(self.largest, rows.start, rows.stop), self.largest.dtype)[:, None]
        numbers *= _STEP
        return numbers


class BitsAndBytesInt8:
    """The kind; see `Kind`."""

    title = "bitsandbytes INT8"
    ends = (".weight",)

    def find(self, parts: Parts) -> Found | None:
        """Recognise it: int8 with `SCB` beside it."""
        stored = parts.main
        if stored.dtype != "I8" or parts.get(".SCB") is None:
            return None
        parts.check(stored)
        largest = parts.need(".SCB", "F32", "F16", "BF16")
        if len(stored.shape) != 2 or largest.shape not in ((stored.shape[0],), (stored.shape[0], 1)):
            parts.misfit(largest)
        tensor = Int8Tensor(stored.name, "BNB-INT8", stored.shape, stored, largest)
        return Found(tensor, parts.names(".SCB", ".weight_format"))
