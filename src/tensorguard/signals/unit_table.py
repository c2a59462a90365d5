"""The unit table: a block's strongest neurons, each with its index and its reader in the fixed basis. `units` compares them.

A neuron's strength is the product of the norms of its vectors, estimated from their responses to the fixed basis; the product does not
change when what is taken from one is given to another.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tensorguard.probes.rademacher import FIXED
from tensorguard.tensors.base import Float32

UNITS = 128
"""Neurons kept per block."""

_ALIKE = 0.999
"""Readers with a cosine above are one: padding with copies cannot fill the table."""

_CELLS = (8, 16)
"""Copies are counted by the cell that a reader of length 1 lies in: of so many of its numbers, so many cells per unit of length."""


@dataclass(slots=True)
class UnitTable:
    """Collects the strongest neurons of one block, expert after expert.

    Attributes:
        seen: Neurons seen, copies among them.
        count: How many different ones the expert with the most of them has (a dense block is one expert): what a number can be worth.
            Copies keep the lowest of their numbers, so that numbers are drawn from no more than there are different neurons; and
            experts may be copies of each other.
        index: Their indices, int64 of shape (kept,).
        strength: float64 of shape (kept,).
        readers: float32 of shape (kept, 32).
    """

    seen: int = 0
    count: int = 0
    index: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    strength: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    readers: Float32 = field(default_factory=lambda: np.empty((0, FIXED), np.float32))

    def add(self, readers: Float32, others: list[Float32]) -> None:
        """Add an expert's neurons, or all of a dense block's.

        Args:
            readers: What gates read (or fc_in) in the fixed basis, float32 of shape (neurons, 32).
            others: The neurons' other vectors likewise.
        """
        strength = np.prod([np.linalg.norm(each.astype(np.float64), axis=1) for each in (readers, *others)], axis=0)
        index = np.arange(self.seen, self.seen + len(readers))
        self.seen += len(readers)
        self.count = max(self.count, _different(readers[strength > 0]))
        strength, index = np.concatenate([self.strength, strength]), np.concatenate([self.index, index])
        readers = np.concatenate([self.readers, readers])
        best = _distinct(readers, strength)
        self.index, self.strength, self.readers = index[best], strength[best], readers[best]

    def strongest(self) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
        """Return indices, int32 of shape (128,), -1 for none, and readers, int8 up to scale of shape (128, 32); strongest first."""
        index, vectors = np.full(UNITS, -1, np.int32), np.zeros((UNITS, FIXED), np.int8)
        index[: len(self.index)] = self.index
        vectors[: len(self.index)] = np.round(127 * (self.readers / np.abs(self.readers).max(1, keepdims=True)))
        return index, vectors


def _different(readers: Float32) -> int:
    """Return about how many readers are no multiple of another, rather too few than too many."""
    numbers, cells = _CELLS
    wide = readers.astype(np.float64)
    unit = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return len(np.unique(np.floor(cells * unit[:, :numbers]).astype(np.int8), axis=0))


def _distinct(readers: Float32, strength: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the strongest rows that are not copies of a stronger one, at most 128, strongest first."""
    order = np.argsort(-strength, kind="stable")[: np.count_nonzero(strength > 0)]
    kept = order[:0]
    for start in range(0, len(order), UNITS):
        if len(kept) >= UNITS:
            break
        rows = np.concatenate([kept, order[start : start + UNITS]])
        unit = readers[rows].astype(np.float64)
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        alike = np.tril(unit @ unit.T > _ALIKE, -1)
        dropped = np.zeros(len(rows), bool)
        for row in np.flatnonzero(alike.any(1)):
            dropped[row] = np.any(alike[row] & ~dropped)
        kept = rows[~dropped]
    return kept[:UNITS]
