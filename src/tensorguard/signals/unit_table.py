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

_POOL = 4 * UNITS


@dataclass(slots=True)
class UnitTable:
    """Collects the strongest neurons of one block, expert after expert.

    Attributes:
        count: Neurons seen.
        index: Their indices, int64 of shape (kept,).
        strength: float64 of shape (kept,).
        readers: float32 of shape (kept, 32).
    """

    count: int = 0
    index: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    strength: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    readers: Float32 | None = None

    def add(self, readers: Float32, others: list[Float32]) -> None:
        """Add an expert's neurons, or all of a dense block's.

        Args:
            readers: What gates read (or fc_in) in the fixed basis, float32 of shape (neurons, 32).
            others: The neurons' other vectors likewise.
        """
        strength = np.prod([np.linalg.norm(each.astype(np.float64), axis=1) for each in (readers, *others)], axis=0)
        index = np.arange(self.count, self.count + len(readers))
        self.count += len(readers)
        if self.readers is not None:
            readers = np.concatenate([self.readers, readers])
            strength = np.concatenate([self.strength, strength])
            index = np.concatenate([self.index, index])
        best = np.argsort(-strength, kind="stable")[:_POOL]
        best = best[strength[best] > 0]
        self.index, self.strength, self.readers = index[best], strength[best], readers[best]

    def strongest(self) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
        """Return indices, int32 of shape (128,), -1 for none, and readers, int8 up to scale of shape (128, 32); strongest first."""
        index, vectors = np.full(UNITS, -1, np.int32), np.zeros((UNITS, FIXED), np.int8)
        if self.readers is None or not len(self.index):
            return index, vectors
        unit = self.readers / np.maximum(np.linalg.norm(self.readers, axis=1, keepdims=True), 1e-30)
        kept: list[int] = []
        for row in range(len(unit)):
            if len(kept) < UNITS and not np.any(unit[kept] @ unit[row] > _ALIKE):
                kept.append(row)
        index[: len(kept)] = self.index[kept]
        chosen = unit[kept]
        vectors[: len(kept)] = np.round(127 * chosen / np.abs(chosen).max(1, keepdims=True))
        return index, vectors
