"""Structural features of the gradient G = u x^T: how its energy is spread over rows and columns, in closed form.

Row i of G is u_i x and column j is x_j u, so the mean of row i is u_i E[x], its norm |u_i| ||x||, and the norm of column j is
|x_j|, because ||u|| = 1. Nothing of the size of G is built.
"""

import numpy as np
from numpy.typing import NDArray

from tensorguard.tensors.base import Float32

NAMES = ("row_mean_std", "column_mean_std", "row_norm_std", "column_norm_std", "max_abs", "active_rows")
"""What `gradient_structure` returns, in this order."""


def gradient_structure(O: Float32, X: Float32) -> NDArray[np.float64]:  # noqa: E741
    """Return the features of every column, float64 of shape (6, columns), in the order of `NAMES`.

    Standard deviation over rows of the row means, over columns of the column means, over rows of the row norms, over columns
    of the column norms (all population); max |G|; and the participation ratio of the rows, 1 / (m sum u_i^4), which is the
    share of rows that carry the gradient: 1 if all do alike, 1/m if one does alone.

    Args:
        O: The responses W X, float32 of shape (m, columns), no column zero.
        X: The inputs, float32 of shape (d, columns).
    """
    features = np.empty((len(NAMES), O.shape[1]))
    for column in range(O.shape[1]):
        o, x = O[:, column].astype(np.float64), X[:, column].astype(np.float64)
        u = o / np.linalg.norm(o)
        squares = u * u
        features[:, column] = (
            u.std() * abs(x.mean()),
            x.std() * abs(u.mean()),
            np.abs(u).std() * np.linalg.norm(x),
            np.abs(x).std(),
            np.abs(u).max() * np.abs(x).max(),
            1.0 / (len(u) * (squares * squares).sum()),
        )
    return features


def structure_features(O: Float32, X: Float32) -> dict[str, float]:  # noqa: E741
    """Return `gradient_structure` averaged over the columns, by name."""
    return {name: float(value) for name, value in zip(NAMES, gradient_structure(O, X).mean(1), strict=True)}
