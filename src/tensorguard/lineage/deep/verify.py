"""The values of matched rows and columns against each other, in one basis."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.lineage.deep.blocks import BlockPair
from tensorguard.lineage.deep.heads import HeadMatch, expand
from tensorguard.tensors.base import Float32

_MOST = 512
"""Rows or columns of a matrix whose values are compared."""

_Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Partners:
    """Partners in one pair of blocks.

    Attributes:
        neurons: Partner of every neuron of the first, int64, -1 for none.
        neuron_counts: Neurons of both.
        heads: Partners of heads; None where heads are not known.
    """

    neurons: _Index
    neuron_counts: tuple[int, int]
    heads: HeadMatch | None

    @property
    def share(self) -> float:
        """Share of the smaller block's neurons that have a partner."""
        return float((self.neurons >= 0).sum() / max(1, min(self.neuron_counts)))


def chosen(role: str, pair: BlockPair, partners: Partners) -> tuple[_Index, _Index]:
    """Return which rows (columns of writers) of the first and of the second to compare; evenly chosen among the matched."""
    other = _partner_rows(role, pair, partners)
    matched = np.flatnonzero(other >= 0)
    picked = matched[:: max(1, -(-len(matched) // _MOST))]
    return picked, other[picked]


def median_cosine(first: Float32, second: Float32, U: Float32 | None) -> float:
    """Return the median |cosine| between rows, those of the first taken to the second's basis by U; 0 of no rows."""
    A = (first if U is None else first @ U).astype(np.float64)
    B = second.astype(np.float64)
    norms = np.linalg.norm(A, axis=1) * np.linalg.norm(B, axis=1)
    cosines = np.abs(np.einsum("ij,ij->i", A, B))[norms > 0] / norms[norms > 0]
    return float(np.median(np.minimum(cosines, 1))) if len(cosines) else 0.0


def _partner_rows(role: str, pair: BlockPair, partners: Partners) -> _Index:
    if role not in ("q", "k", "v", "o"):
        return partners.neurons
    side = 1 if role == "o" else 0
    count, other = (block.weights[role][0].shape[side] for block in (pair.first, pair.second))
    if partners.heads is None:
        return np.arange(count if count == other else 0)
    heads = partners.heads.queries if role in ("q", "o") else partners.heads.keys
    return expand(heads, count // len(heads))
