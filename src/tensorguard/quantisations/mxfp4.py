"""MXFP4 of gpt-oss: stacks of experts in blocks of 32 numbers of E2M1 with one power of two each, `*_blocks` and `*_scales`.

The file has (experts, out, blocks, 16 bytes), lower halves first; the model means (experts, in, out), the same numbers turned
(`convert_moe_packed_tensors` in transformers/integrations/mxfp4.py, 5.23). OpenAI's own files call them `.blocks` and `.scales` and mean
(experts, out, in).
"""

from dataclasses import dataclass

import numpy as np

from tensorguard.quantisations.base import Found, Packed, Parts, flat
from tensorguard.quantisations.bits import E2M1, bitfields, power_of_two
from tensorguard.tensors.base import Float32
from tensorguard.tensors.storage import StoredTensor

_BYTES, _BLOCK = 16, 32


@dataclass(frozen=True)
class Mxfp4Tensor(Packed):
    """Each expert's e2m1[q] * 2^(s - 127), turned or not.

    Attributes:
        scales: Exponents, (experts, out, blocks).
        turned: Whether the file holds each matrix as out x in and `shape` has (experts, in, out).
    """

    scales: StoredTensor
    turned: bool

    def block(self, rows: slice, columns: slice) -> Float32:
        """Decode; see `Stored.read`. Of a turned matrix, columns are what lies together."""
        if not self.turned:
            return self._lines(rows.start, rows.stop)[:, columns]
        height, lines = self.shape[-2:]
        found = np.empty((rows.stop - rows.start, columns.stop - columns.start), np.float32)
        for expert in range(rows.start // height, -(-rows.stop // height)):
            first, last = max(rows.start, expert * height), min(rows.stop, (expert + 1) * height)
            part = self._lines(expert * lines + columns.start, expert * lines + columns.stop)
            found[first - rows.start : last - rows.start] = part[:, first - expert * height : last - expert * height].T
        return found

    def _lines(self, start: int, stop: int) -> Float32:
        """Return stored lines of one matrix after the other, float32 of shape (stop - start, in)."""
        blocks = self.scales.shape[-1]
        raw = flat(self.main, start * blocks * _BYTES, stop * blocks * _BYTES).reshape(-1, _BYTES)
        values = E2M1[bitfields(raw, 4, _BLOCK)]
        values *= power_of_two(flat(self.scales, start * blocks, stop * blocks))[:, None]
        return values.reshape(-1, blocks * _BLOCK)


class Mxfp4:
    """The kind; see `Kind`."""

    title = "MXFP4"
    ends = ("_blocks", ".blocks")

    def find(self, parts: Parts) -> Found | None:
        """Recognise it: bytes in sixteens, and one more byte for each sixteen."""
        packed = parts.main
        join = packed.name.removeprefix(parts.stem)[0]
        scales = parts.get(f"{join}scales")
        if packed.dtype != "U8" or scales is None or scales.dtype not in ("U8", "F8_E8M0") or len(packed.shape) < 3:
            return None
        parts.check(packed)
        if packed.shape[-1] != _BYTES or scales.shape != packed.shape[:-1]:
            parts.misfit(scales)
        *lead, out, blocks, _ = packed.shape
        turned = join == "_" and len(lead) == 1
        shape = (*lead, blocks * _BLOCK, out) if turned else (*lead, out, blocks * _BLOCK)
        tensor = Mxfp4Tensor(parts.stem, self.title, shape, packed, scales, turned)
        return Found(tensor, parts.names(f"{join}scales"))
