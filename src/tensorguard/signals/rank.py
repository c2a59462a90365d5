"""Effective rank of a layer's response: over how many directions random inputs are spread by W.

Computed from the Gram matrix of the centred response, which is columns x columns and adds up over row tiles, whatever the
size of W.
"""

import numpy as np
from numpy.typing import NDArray

from tensorguard.tensors.base import Float32

_BLOCK_ROWS = 4096

_FLOOR = 1e-12
"""Squared singular values below this share of the response's energy count as zero: float32 responses cannot tell."""


def gram_and_sum(O: Float32) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # noqa: E741
    """Return O^T O and the column sums, float64 of shape (columns, columns) and (columns,). Those of row tiles add up.

    Args:
        O: The responses W X, float32 of shape (m, columns); converted to float64 a block of rows at a time.
    """
    gram, total = np.zeros((O.shape[1], O.shape[1])), np.zeros(O.shape[1])
    for start in range(0, len(O), _BLOCK_ROWS):
        block = O[start : start + _BLOCK_ROWS].astype(np.float64)
        gram += block.T @ block
        total += block.sum(0)
    return gram, total


def rank_features(O: Float32, X: Float32) -> dict[str, float]:  # noqa: E741
    """Return `effective_rank` and `stable_rank` of the response, every column less its mean and divided by ||x||.

    With singular values s and p = s / sum(s), the effective rank is exp(-sum p ln p) (Roy and Vetterli 2007); the stable rank
    is sum(s^2) / max(s^2). Both lie between 1 and the number of columns, or are 0 where all rows answer alike.

    Args:
        O: The responses W X, float32 of shape (m, columns).
        X: The inputs, float32 of shape (d, columns), no column zero.
    """
    gram, total = gram_and_sum(O)
    loudness = np.linalg.norm(X.astype(np.float64), axis=0)
    gram /= np.outer(loudness, loudness)
    total /= loudness
    squares = np.linalg.eigvalsh(gram - np.outer(total, total) / len(O))
    squares = squares[squares > _FLOOR * np.trace(gram)]
    if not len(squares):
        return {"effective_rank": 0.0, "stable_rank": 0.0}
    shares = np.sqrt(squares) / np.sqrt(squares).sum()
    return {
        "effective_rank": float(np.exp(-(shares * np.log(shares)).sum())),
        "stable_rank": float(squares.sum() / squares[-1]),
    }
