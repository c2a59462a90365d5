"""The residual basis recovered without embeddings, from Gram matrices W^T W of what reads the stream in several blocks.

They do not know the order, sign or rotation of neurons. If W_B = W_A U then G_B = U^T G_A U: eigenvectors of one sum of them give U but
for a sign each, another sum gives the signs, and U <- polar(sum_k G_A,k U G_B,k) corrects what further training mixed. The last block
is held out to tell how well U fits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.engines.base import Engine
from tensorguard.lineage.deep.blocks import Block, BlockPair
from tensorguard.lineage.deep.tiles import fold_rows, steps
from tensorguard.tensors.base import Float32

MOST_BLOCKS = 6
"""Blocks whose Gram matrices are used, evenly chosen."""

MOST_WIDTH = 4096
_ROUNDS = 60

_Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Task:
    block: Block
    width: int


def basis_of_readers(blocks: Sequence[BlockPair], engine: Engine) -> tuple[Float32 | None, float]:
    """Find the orthogonal U that takes the first model's stream to the second's.

    Returns:
        U, float32 of shape (d, d), its sign such that most of its largest entries are positive (Gram matrices cannot tell U from -U);
        and how it fits the held-out block: the mean agreement in sign of the elements beside the diagonal, in the second model's
        eigenbasis, where a few large directions that all models have (0.64 of a cosine between two GPT-2 twins) count no more than
        others. None and 0 where there are fewer than three blocks or the model is too wide.

    Raises:
        InputError: A matrix cannot be read or decoded.
    """
    chosen = [blocks[i] for i in np.unique(np.linspace(0, len(blocks) - 1, min(MOST_BLOCKS, len(blocks))).astype(int))]
    if len(chosen) < 3 or chosen[0].width > MOST_WIDTH or len({pair.width for pair in chosen}) > 1:
        return None, 0.0
    grams = engine.map(_gram, [_Task(block, pair.width) for pair in chosen for block in (pair.first, pair.second)])
    both = [(next(grams), next(grams)) for _ in chosen]
    held, used = both[-1], both[:-1]
    weights = np.arange(1, len(used) + 1)
    first, second = (sum(w * pair[side] for w, pair in zip(weights, used, strict=True)) for side in (0, 1))
    ours, theirs = np.linalg.eigh(first)[1], np.linalg.eigh(second)[1]
    product = np.zeros_like(first)
    for A, B in used:
        product += (ours.T @ A @ ours) * (theirs.T @ B @ theirs)
    np.fill_diagonal(product, 0)
    signs = np.where(np.linalg.eigh(product)[1][:, -1] < 0, -1.0, 1.0)
    U = (ours * signs) @ theirs.T
    for _ in range(_ROUNDS):
        left, _, right = np.linalg.svd(sum(A @ U @ B for A, B in used))
        before, U = U, left @ right
        if float(np.abs(U - before).max()) < 1e-6:
            break
    if np.sign(U[np.abs(U).argmax(0), np.arange(len(U))]).sum() < 0:
        U = -U
    turned, expected = (theirs.T @ each @ theirs for each in (U.T @ held[0] @ U, held[1]))
    aside = ~np.eye(len(U), dtype=bool)
    return U.astype(np.float32), float((np.sign(turned) * np.sign(expected))[aside].mean())


def _gram(task: _Task) -> _Matrix:
    """Return the sum of W^T W over gate, up or fc_in, folded, less its multiple of the identity, of norm 1: float64 of shape (d, d)."""
    total = np.zeros((task.width, task.width))
    for role in ("gate", "fc_in", "up"):
        for weight in task.block.weights.get(role, ()):
            for start, stop in steps(weight):
                W = fold_rows(weight.rows(start, stop), task.block.foldings[role])
                total += W.T @ W
    total -= np.trace(total) / task.width * np.eye(task.width)
    norm = float(np.linalg.norm(total))
    return total / (norm or 1.0)
