"""Do the layers of an adapter answer to the layers of a model, each to its own?

Gradients move what a matrix uses: the columns of B in q, k, v, gate and up come to lie where the columns of that W lie, and the rows of A
in o and down where its rows do. Only *inner* sides are looked at (heads and neurons): every layer of every base has an inner basis of its
own, so that under the null - another base - layer i of the adapter has as much to do with layer j as with its own. The test therefore
permutes layers: T is the sum over layers of S[i, i] for S[i, j], the agreement of layer i of the one with layer j of the other, each role
standardised by the exact mean and variance of its permutation distribution (Hoeffding, Ann. Math. Stat. 22, 1951). What common layers have
in all models (a mean over neurons, say) cancels. Roles that share an inner basis are permuted together.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from math import lgamma, log

import numpy as np
from numpy.typing import NDArray

from tensorguard.adapters.deltas import Delta
from tensorguard.signals.null_draws import Test, judge
from tensorguard.tensors.naming import READERS, WRITERS

Array = NDArray[np.float64]
Role = tuple[str, str]
"""(stack, role)."""

LEAST_LAYERS = 3

ANSWERS = -3.0
"""log10 p below which layers answer to layers. Of 71 pairs of an adapter and a twin of its base (another seed) none reached it."""

_DRAWS = 4096
_SHARED = {"q": "query-key", "k": "query-key", "qkv": "query-key", "v": "value", "o": "value"}
"""Inner basis of each role; that of all others is the neurons'."""


@dataclass(frozen=True, slots=True)
class Correspondence:
    """How well layers answer to layers of the same number.

    Attributes:
        test: The permutation test; None if there are fewer than three layers of every role. Its statistic is in standard deviations.
        layers: Most layers of a role that were compared.
        roles: The roles compared.
    """

    test: Test | None
    layers: int
    roles: tuple[str, ...]

    @property
    def log10_p(self) -> float:
        """log10 of the p-value; 0 without a test."""
        return self.test.log10_p if self.test else 0.0


def inner_side(delta: Delta) -> Array | None:
    """Return the factor on the inner side of a matrix, float64 of shape (heads or neurons, r); None if it has none, or is an expert's."""
    if delta.layer is None or delta.expert is not None:
        return None
    if delta.role in READERS:
        return delta.up
    return delta.down.T if delta.role in WRITERS else None


def inner_basis(delta: Delta) -> Array | None:
    """Return an orthonormal basis of the inner factor's columns, the direction 1 taken out, float64 of shape (n, rank)."""
    side = inner_side(delta)
    if side is None:
        return None
    U, sizes, _ = np.linalg.svd(side - side.mean(0), full_matrices=False)
    basis: Array = U[:, sizes > sizes[0] * 1e-6] if sizes.size and sizes[0] > 0 else U[:, :0]
    return basis


def correspondence(tables: Mapping[Role, Array]) -> Correspondence:
    """Test tables S of agreement, each of shape (L, L), rows and columns in the same order of layers."""
    groups: defaultdict[tuple[str, str, int], Array] = defaultdict(lambda: np.zeros(()))
    used: list[Role] = []
    for (stack, role), table in tables.items():
        centred = _centred(table)
        if centred is not None:
            key = stack, _SHARED.get(role, "neurons"), len(table)
            groups[key] = groups[key] + centred
            used.append((stack, role))
    standard = [table for table in (_centred(group) for group in groups.values()) if table is not None]
    layers = max((len(table) for table in standard), default=0)
    roles = tuple(dict.fromkeys(role for _, role in used))
    if not standard:
        return Correspondence(None, layers, roles)
    rng = np.random.default_rng(0)
    root = np.sqrt(len(standard))
    draws = sum(_permuted(table, rng) for table in standard) / root
    test = judge(float(sum(np.trace(table) for table in standard) / root), np.asarray(draws))
    possible = sum(lgamma(len(table) + 1) for table in standard) / log(10)
    if test.log10_p < -possible:  # there are no more arrangements
        test = Test(test.statistic, test.null_mean, test.null_sd, test.excess, test.z, -possible, test.how)
    return Correspondence(test, layers, roles)


def _centred(table: Array) -> Array | None:
    """Return a table with row and column means taken out, so scaled that the trace under permutations has variance 1."""
    size = len(table)
    if size < LEAST_LAYERS:
        return None
    centred = table - table.mean(0) - table.mean(1)[:, None] + table.mean()
    sd = float(np.sqrt((centred**2).sum() / (size - 1)))
    return centred / sd if sd > 1e-12 * float(np.abs(table).max()) else None


def _permuted(table: Array, rng: np.random.Generator) -> Array:
    size = len(table)
    orders = np.argsort(rng.random((_DRAWS, size)), axis=1)
    drawn: Array = table[np.arange(size), orders].sum(1)
    return drawn
