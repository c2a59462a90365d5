"""Embeddings and output heads compared through the anchor tokens that both models have.

In the fixed basis the rows themselves are compared; if the second model's residual basis is independent, its rows turned by a Haar
rotation are as likely (signed permutations of the residual streams of three zoo models, SmolLM2-135M and multilingual-e5-small spread
the cosine 0.96 to 1.03 times as much). In token space only what does not depend on that basis is left, the similarities among the
tokens; independently trained models agree on much of it, so there only an excess over what such models reach can be evidence (`judge`
with a margin).
"""

import numpy as np
from numpy.typing import NDArray

from tensorguard.signals.linear_test import linear_test
from tensorguard.signals.null_draws import Test, judge
from tensorguard.signals.operator_evidence import FEWEST, centred, null_means
from tensorguard.signals.rotations import haar


def row_test(A: NDArray[np.floating], B: NDArray[np.floating]) -> Test | None:
    """Test the cosine of two models' token rows in the fixed basis, each of shape (tokens, n), centred over the tokens that both have.

    Returns:
        None with fewer than 8 common tokens.
    """
    common = A.any(1) & B.any(1)
    if common.sum() < FEWEST:
        return None
    first, second = (_unit(each[common].astype(np.float64)) for each in (A, B))
    return linear_test([first.T @ second])


def gram_test(A: NDArray[np.floating], B: NDArray[np.floating], common: NDArray[np.bool_], margin: float) -> Test | None:
    """Test the cosine of two matrices between tokens, each of shape (tokens, tokens), centred on both sides.

    Args:
        A: The first model's.
        B: The second's.
        common: Which tokens both have.
        margin: What the excess may be between independent models.

    Returns:
        None with fewer than 8 common tokens, or where a model has no such matrix.
    """
    if common.sum() < FEWEST:
        return None
    first, second = centred(A, common), centred(B, common)
    if not (first.any() and second.any()):
        return None
    draws = np.concatenate([each[:, 0, 0, 0] for each in null_means(first, second, [[0]], haar(first.shape[-1]))])
    return judge(float((first * second).sum()), draws, margin)


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = rows - rows.mean(0)
    return rows / max(float(np.linalg.norm(rows)), 1e-300)
