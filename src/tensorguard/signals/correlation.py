"""Response sketches compared: do two matrices answer the same inputs alike?

The row mean of a response belongs to a direction that all rows share and that independent models may share too; it is projected
out, and with it one of the sixteen input dimensions. Under the null hypothesis the basis of the rows of the second model's matrices,
or of the inputs where rows are tokens, has nothing to do with the first's. Matrices whose rows live in the same hidden basis are
turned together. The columns of P are not orthogonal, and what they have in common no rotation changes: with m rows the variance is
1 + (64 - 1) / m times that under rotations, in expectation over P; likewise 1 + (16 - 1) / d for d inputs.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.signals.linear_test import linear_test
from tensorguard.signals.null_draws import Test
from tensorguard.signals.rotations import UNEVEN

TOKEN_ROWS = frozenset({"embed", "position", "token_type", "lm_head"})
"""Roles whose rows mean the same in every model: their inputs are turned, not their rows."""

RESIDUAL_ROWS = frozenset({"o", "down", "fc_out", "project_in", "ssm_out"})
"""Roles that write to the residual stream."""

NEURON_ROWS = frozenset({"gate", "up", "fc_in"})
"""Roles whose rows are the neurons of their block."""

_ROUNDING = 4e-3
"""What is left of a sketch without its row mean, as a share of its norm, below which it is the rounding of its file: 2^-11 of each
number. A constant matrix leaves nothing else."""

Shape = tuple[int, int]

Sketch = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Correlation:
    """Two lists of matrices compared pair by pair.

    Attributes:
        cosines: Of every pair, of shape (pairs,); 0 where one is zero.
        differences: |S_A - S_B| / |S_B| of every pair, row means included; infinite where S_B is zero and S_A is not.
        test: The mean cosine against the rotation null.
    """

    cosines: NDArray[np.float64]
    differences: NDArray[np.float64]
    test: Test


def hidden_basis(role: str, layer: int | None, stack: str) -> Hashable:
    """Return which basis the rows of a matrix live in; equal values share one."""
    if role in TOKEN_ROWS:
        return "inputs", stack
    if role in RESIDUAL_ROWS:
        return "residual", stack
    return "neurons" if role in NEURON_ROWS else role, layer, stack


def correlate(
    A: NDArray[np.float32],
    mean_A: NDArray[np.float32],
    B: NDArray[np.float32],
    mean_B: NDArray[np.float32],
    bases: Sequence[Hashable],
    shapes: Sequence[Shape],
) -> Correlation:
    """Compare the response sketches of paired matrices.

    Args:
        A: P^T W X of the first model's, of shape (pairs, 64, 16).
        mean_A: 1^T W X / rows of them, of shape (pairs, 16).
        B: The second model's.
        mean_B: Likewise.
        bases: `hidden_basis` of each pair's second matrix; those that begin with "inputs" are turned on the side of the inputs.
        shapes: Rows, those of the taller, and columns of each pair.
    """
    first, second = _without_mean(A, mean_A), _without_mean(B, mean_B)
    groups: dict[Hashable, NDArray[np.float64]] = {}
    smallest: dict[Hashable, int] = {}
    for S, other, basis, (rows, columns) in zip(first, second, bases, shapes, strict=True):
        inputs = isinstance(basis, tuple) and basis[0] == "inputs"
        M = S.T @ other if inputs else S @ other.T
        groups[basis] = groups.get(basis, 0.0) + M / len(first)
        smallest[basis] = min(columns if inputs else rows, smallest.get(basis, rows + columns))
    factors = [UNEVEN * (1 + (len(M) - 1) / max(1, smallest[basis])) for basis, M in groups.items()]
    scale = np.linalg.norm(B.astype(np.float64), axis=(1, 2))
    apart = np.linalg.norm(A.astype(np.float64) - B, axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        differences = np.where(apart > 0, apart / scale, 0.0)
    return Correlation(np.einsum("pij,pij->p", first, second), differences, linear_test(groups.values(), factors))


def _without_mean(S: NDArray[np.float32], mean: NDArray[np.float32]) -> Sketch:
    """Project the row mean's direction among the inputs out of every sketch, and scale what is left to norm 1; nothing stays nothing."""
    wide = mean.astype(np.float64)
    unit = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-300)
    rest: Sketch = S - (S @ unit[:, :, None]) * unit[:, None, :]
    whole, norm = (np.linalg.norm(each.astype(np.float64), axis=(1, 2), keepdims=True) for each in (S, rest))
    return np.where(norm > _ROUNDING * whole, rest / np.maximum(norm, 1e-300), 0.0)
