"""Which attention head of one block is which of another, by what each head does to the stream: X^T Wq^T Wk X and X^T Wo Wv X.

These are blind to V/O changes of basis inside a head and to what rotary positions allow between q and k.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from tensorguard.tensors.base import Float32

COLUMNS = 32
"""Columns of the sketches that signatures are made of: 1024 numbers each."""

MATCHED = 0.5
"""Least mean cosine of a pair of heads."""


@dataclass(frozen=True, slots=True)
class HeadMatch:
    """Matched heads.

    Attributes:
        queries: Partner of each query head of the first, -1 for none, int64.
        keys: Partner of each key-value head.
        query_key: Median cosine of QK between partners.
        value_output: Of VO.
        share: How many of the smaller block's query heads have a partner.
        counts: Query heads of both.
    """

    queries: NDArray[np.int64]
    keys: NDArray[np.int64]
    query_key: float
    value_output: float
    share: float
    counts: tuple[int, int]


def match_heads(
    first: tuple[Float32, Float32, Float32, Float32], second: tuple[Float32, Float32, Float32, Float32], head: int
) -> HeadMatch:
    """Match the heads of two blocks, which may differ in number.

    Args:
        first: Responses Wq X, Wk X, Wv X and Wo^T X of the first block, float32 of shape (rows, columns) each.
        second: Of the second block to the same X in its own basis.
        head: Rows of a head in q and k; those of v and o follow from their number.
    """
    ours, theirs = (signatures(responses, head) for responses in (first, second))
    cosines = np.stack([a @ b.T for a, b in zip(ours, theirs, strict=True)])
    mean = cosines.mean(0)
    rows, columns = linear_sum_assignment(-mean)
    good = mean[rows, columns] > MATCHED
    queries = np.full(len(mean), -1, np.int64)
    queries[rows[good]] = columns[good]
    ratio, other_ratio = (len(each[0]) // len(each[1]) for each in (first, second))
    groups = np.where(queries < 0, -1, queries // other_ratio).reshape(-1, ratio)
    keys = np.array([g[0] if (g == g[0]).all() else -1 for g in groups], np.int64)
    query_key, value_output = (float(np.median(each[rows, columns])) for each in cosines)
    return HeadMatch(
        queries, keys, query_key, value_output, float(good.sum() / max(1, min(mean.shape))), (len(ours[0]), len(theirs[0]))
    )


def signatures(responses: tuple[Float32, Float32, Float32, Float32], head: int) -> tuple[Float32, Float32]:
    """Return QK and VO of every query head, each of norm 1: float32 of shape (heads, 1024) each."""
    q, k, v, o = (each[:, :COLUMNS] for each in responses)
    heads, groups = len(q) // head, len(k) // head
    ratio = heads // groups
    Q, K = q.reshape(heads, head, -1), np.repeat(k.reshape(groups, head, -1), ratio, axis=0)
    V, O = np.repeat(v.reshape(groups, -1, v.shape[1]), ratio, axis=0), o.reshape(heads, -1, o.shape[1])  # noqa: E741
    return _unit(np.einsum("hic,hid->hcd", Q, K)), _unit(np.einsum("hic,hid->hcd", O, V))


def expand(heads: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return partners of rows from partners of heads of `size` rows; -1 stays -1."""
    rows = heads[:, None] * size + np.arange(size)
    return np.where(heads[:, None] < 0, -1, rows).reshape(-1)


def _unit(operators: Float32) -> Float32:
    flat = operators.reshape(len(operators), -1)
    norms = np.linalg.norm(flat, axis=1, keepdims=True)
    unit: Float32 = (flat / np.where(norms > 0, norms, 1)).astype(np.float32)
    return unit
