"""Which of two matrices that share rotary dimensions are the queries, where their shapes do not say it.

The softmax over keys does not see what is added to all of them. Where positions are learnt, a bias of keys is just that: it gets no
gradient, and stays next to nothing. Without such biases it is a guess: queries learn from the mean of what they read, keys do not where
it is one vector everywhere, so the queries answer more to the mean embedding. With all layers together that was right for the six small
models it was chosen on and wrong for both real ones tried (encoders, which the bias decides); for a single layer it was right in 18 of 33,
which is chance. So compare such models both ways round.
"""

from collections.abc import Sequence

import numpy as np

from tensorguard.tensors.matching import Block
from tensorguard.tensors.series import Series
from tensorguard.tensors.tables import rows_across

_RATIO = 10.0


def queries_first(
    first: Series, second: Series, embed: Series | None, vectors: Sequence[Series], transposed: bool, learnt: bool
) -> Block:
    """Return which of two series of one shape are the queries and which the keys.

    Args:
        first: One of them.
        second: The other.
        embed: The embedding.
        vectors: All vectors.
        transposed: Whether both are stored as in x out.
        learnt: Whether positions are learnt.

    Raises:
        InputError: The bytes cannot be read.
    """
    sizes = [_bias(each, vectors, transposed) for each in (first, second)] if learnt else [0.0, 0.0]
    if min(sizes) == 0 or max(sizes) < _RATIO * min(sizes):
        sizes = [_answer(each, embed, transposed) for each in (first, second)]
    return {"q": first, "k": second} if sizes[0] >= sizes[1] else {"q": second, "k": first}


def _bias(each: Series, vectors: Sequence[Series], transposed: bool) -> float:
    """Return the norm of a matrix's bias: the vector beside it in name; 0 without one."""
    parent, rows = each.skeleton.rpartition(".")[0], each.shape[1 if transposed else 0]
    found = [v for v in vectors if v.shape == (rows,) and v.skeleton.rpartition(".")[0] == parent and v.numbers == each.numbers]
    if not parent or len(found) != 1:
        return 0.0
    return float(np.median([np.linalg.norm(s.read(slice(0, 1), slice(0, rows))) for s in found[0].sampled()]))


def _answer(each: Series, embed: Series | None, transposed: bool) -> float:
    """Return how strongly a matrix answers to the mean embedding, relative to all that it could be asked."""
    if embed is None:
        return 0.0
    mean = rows_across(embed.members[0].stored).mean(0)
    answers = []
    for stored in each.sampled():
        rows, columns = stored.shape
        W = np.nan_to_num(stored.read(slice(0, rows), slice(0, columns)))
        answers.append(np.linalg.norm((W.T if transposed else W) @ mean) / max(float(np.linalg.norm(W)), 1e-30))
    return float(np.mean(answers))
