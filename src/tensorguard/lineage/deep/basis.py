"""The residual basis recovered from embeddings: the polar factor U of E_A^T E_B over shared tokens, so that E_A U is nearest to E_B.

If E_B = E_A O then U = O exactly. A signed permutation is told from the assignment of greatest s = sum |U[i, pi(i)]|: for a Haar
distributed orthogonal matrix and one signed permutation P, P(tr(P^T U) >= s) <= exp(-s^2 / 2), because E tr(U)^2k <= (2k - 1)!!; a
union over all 2^d d! gives ln p <= ln d! + d ln 2 - s^2 / 2 (Drawn from Xu et al. 2025, arXiv 2508.06309, whose own constants differ.)
The null is conditional: U of independently trained models is Haar only as far as training has no preferred axes; coordinatewise
optimisers keep signed permutations alone.

A rotation has no such bound; it is told by tokens that U was not fitted on: the median, over all singular directions of E_A^T E_B (less
the means), of the correlation between both models' tokens. Every direction counts once: independent models share the few that hold most
of an embedding's energy (their cosine after U reached 0.69 for two GPT-2 twins), not the many.
"""

from dataclasses import dataclass
from math import lgamma, log

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from tensorguard.lineage.deep.pairs import scattered_rows
from tensorguard.lineage.deep.recovered import Basis
from tensorguard.probes.bits import choices
from tensorguard.tensors.base import Float32
from tensorguard.tensors.folding import Folding
from tensorguard.tensors.weight import Weight

MOST_WIDTH = 8192
"""Wider models are not tried: E_A^T E_B and its decomposition take about 16 d^2 bytes in float32."""

_ROWS_PER_COLUMN = 8
_HELD_OUT = 512
_BLOCK = 1024
AGREES = 0.5
"""Least agreement that counts."""

_SURE = -50.0
"""ln p below which a signed permutation is believed."""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Two embeddings and the rows of the tokens that both have, int64 of shape (n,) each; what is folded into their rows."""

    first: Weight
    second: Weight
    first_rows: NDArray[np.int64]
    second_rows: NDArray[np.int64]
    first_folding: Folding
    second_folding: Folding


def recover_basis(task: Embeddings) -> tuple[Basis, Float32 | None]:
    """Find the orthogonal U with E_A U nearest to E_B.

    At most 8 d tokens are used, evenly chosen, 512 more (at most a quarter) are held out. Time is that of one singular value decomposition
    of size d on one processor: a second for d = 1024, minutes for 8192. Sums are float64 up to d = 4096 and float32 above.

    Returns:
        The finding, and U, float32 of shape (d, d): exactly a signed permutation if it is one; None where there is nothing to use.

    Raises:
        InputError: An embedding cannot be read or decoded.
    """
    width = task.first.shape[1]
    count = len(task.first_rows)
    if width != task.second.shape[1] or width > MOST_WIDTH or count < width + 4:
        return Basis("unknown", 0, 0, 0.0, 0.0, 0), None
    order = np.argsort(choices(0, "deep/tokens", count, 2**62), kind="stable")
    held = min(_HELD_OUT, count // 4)
    out, fit = np.sort(order[:held]), np.sort(order[held : held + _ROWS_PER_COLUMN * width])
    cross = np.zeros((width, width), np.float64 if width <= MOST_WIDTH // 2 else np.float32)
    sums = [np.zeros(width), np.zeros(width)]
    for start in range(0, len(fit), _BLOCK):
        A, B = _rows(task, fit[start : start + _BLOCK])
        cross += A.T @ B
        sums[0] += A.sum(0, dtype=np.float64)
        sums[1] += B.sum(0, dtype=np.float64)
    cross -= np.outer(sums[0], sums[1]) / len(fit)
    left, _, right = np.linalg.svd(cross)
    U = (left @ right).astype(np.float32)
    A, B = _rows(task, out)
    agreement = _agreement(A @ left.astype(np.float32), B @ right.T.astype(np.float32))
    return describe(U, agreement, len(fit))


def describe(U: Float32, agreement: float, tokens: int) -> tuple[Basis, Float32 | None]:
    """Say what an orthogonal U is: a signed permutation (which is returned in its place), any other rotation, or nothing.

    Args:
        U: float32 of shape (d, d).
        agreement: How well it fits what it was not fitted on.
        tokens: Rows it was fitted on.
    """
    width = len(U)
    places, given = linear_sum_assignment(-np.abs(U))
    s = float(np.abs(U[places, given]).sum())
    ln_p = min(0.0, lgamma(width + 1) + width * log(2) - s * s / 2)
    if agreement < AGREES:
        return Basis("unknown", 0, 0, agreement, ln_p, tokens), None
    if ln_p > _SURE:
        return Basis("rotation", 0, 0, agreement, ln_p, tokens), U
    signs = np.sign(U[places, given])
    P = np.zeros_like(U)
    P[places, given] = signs
    moved, flipped = int((places != given).sum()), int((signs < 0).sum())
    return Basis("permutation" if moved or flipped else "none", moved, flipped, agreement, ln_p, tokens), P


def _agreement(A: Float32, B: Float32) -> float:
    """Return the median correlation between columns."""
    A, B = A - A.mean(0), B - B.mean(0)
    norms = np.linalg.norm(A, axis=0) * np.linalg.norm(B, axis=0)
    return float(np.median(np.einsum("ij,ij->j", A, B) / np.where(norms > 0, norms, 1)))


def _rows(task: Embeddings, index: NDArray[np.int64]) -> tuple[Float32, Float32]:
    A = scattered_rows(task.first, task.first_rows[index])
    B = scattered_rows(task.second, task.second_rows[index])
    return _centred(A, task.first_folding), _centred(B, task.second_folding)


def _centred(E: Float32, folding: Folding) -> Float32:
    return E - E.mean(axis=1, keepdims=True) if folding.centred else E
