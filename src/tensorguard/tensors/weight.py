"""One weight of the canonical view: a matrix W, out x in, whatever way its file stores it."""

import itertools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tensorguard.sources.prefetching import Span
from tensorguard.tensors.base import Float32, Stored
from tensorguard.tensors.storage import StoredTensor

_SHORTEST_RUN = 16
"""Runs of stored rows shorter than this are read with what lies between them, then picked."""


@dataclass(frozen=True, slots=True)
class RowOrder:
    """Which stored row holds canonical row i: rows in groups that repeat with a period, and interleaved rotary halves undone.

    Row i is row `i % size` of group `i // size`, and lies at `offset + (i // size) * period + i % size`. That covers a plain slice
    (one group), fused q, k, v interleaved per head (GPT-NeoX, Falcon, InternLM2) and gate, up alternating row by row (gpt-oss).

    Attributes:
        offset: Stored row of canonical row 0.
        size: Rows in a group; 0 for one group without end.
        period: Distance between the first rows of two groups.
        rotary: Head dimension of rows that are stored with the two rotary halves interleaved (GGUF's llama layout, Meta's own
            names), to be put back as halves; 0 if they are halves already.
    """

    offset: int = 0
    size: int = 0
    period: int = 0
    rotary: int = 0

    def indices(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the stored rows of canonical rows start..stop, int64 of shape (stop - start,)."""
        row = np.arange(start, stop, dtype=np.int64)
        if self.rotary:
            head, inside = np.divmod(row, self.rotary)
            half, pair = np.divmod(inside, self.rotary // 2)
            row = head * self.rotary + 2 * pair + half
        if self.size:
            group, inside = np.divmod(row, self.size)
            row = group * self.period + inside
        return row + self.offset


@dataclass(frozen=True, slots=True)
class Weight:
    """A matrix with its place in the model.

    Attributes:
        role: What it does: embed, position, q, k, v, o, gate, up, down, fc_in, fc_out, router, lm_head, ... (see `tensors.roles`).
        layer: Block index from 0, or None outside blocks.
        shape: (out, in) of W as the layer computes W x.
        stored: Where its numbers are.
        order: Which stored rows (columns if transposed) are its rows.
        transposed: Stored as in x out (GPT-2's Conv1D, some stacked experts).
        first: First stored row of the slice that belongs to it if `transposed` (an expert of a stack).
        expert: Expert index, or None.
        stack: Which tower it belongs to: decoder, encoder, cross, vision, audio, ...
    """

    role: str
    layer: int | None
    shape: tuple[int, int]
    stored: Stored = field(repr=False)
    order: RowOrder = RowOrder()
    transposed: bool = False
    first: int = 0
    expert: int | None = None
    stack: str = "decoder"

    @property
    def name(self) -> str:
        """The stored tensor's own name; untrusted text."""
        return self.stored.name

    def rows(self, start: int, stop: int) -> Float32:
        """Return rows start..stop of W: C-contiguous float32 of shape (stop - start, in).

        Raises:
            InputError: The bytes cannot be read or decoded.
        """
        if self.order.size == self.order.rotary == 0:
            return self._stored_rows(self.order.offset + start, self.order.offset + stop)
        wanted = self.order.indices(start, stop)
        block = np.empty((stop - start, self.shape[1]), np.float32)
        for begin, end in _runs(wanted):
            part = wanted[begin:end]
            low = int(part.min())
            read = self._stored_rows(low, int(part.max()) + 1)
            block[begin:end] = read[part - low]
        return block

    def span(self, start: int, stop: int) -> Span | None:
        """Return where rows start..stop of W lie if they lie in one range of a file, as they are; else None."""
        if self.transposed or self.order.size or self.order.rotary or not isinstance(self.stored, StoredTensor):
            return None
        return self.stored.span(self.order.offset + start, self.order.offset + stop)

    def _stored_rows(self, low: int, high: int) -> Float32:
        if not self.transposed:
            return self.stored.read(slice(low, high), slice(0, self.shape[1]))
        block = self.stored.read(slice(self.first, self.first + self.shape[1]), slice(low, high))
        return np.ascontiguousarray(block.T)


def _runs(rows: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Cut a list of rows into ranges that are each one read: consecutive runs if they are long, else all of them at once."""
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    if len(breaks) * _SHORTEST_RUN > len(rows):
        return [(0, len(rows))]
    edges = [0, *(int(b) for b in breaks), len(rows)]
    return list(itertools.pairwise(edges))
