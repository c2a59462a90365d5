"""Weights set to zero, and neurons and heads taken out."""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from benchmarks.zoo.derivations import heads, neurons
from benchmarks.zoo.derivations.anatomy import Anatomy
from benchmarks.zoo.derivations.checkpoint import Tensor


def smallest(share: float) -> Callable[[Anatomy, Generator], None]:
    """Zero this share of each matrix: the smallest magnitudes."""

    def cut(matrix: Tensor) -> Tensor:
        count = int(share * matrix.size)
        pruned = matrix.copy().reshape(-1)
        pruned[np.argpartition(np.abs(pruned), count)[:count]] = 0
        return pruned.reshape(matrix.shape)

    return lambda model, _random: model.map_matrices(cut)


def two_of_four(model: Anatomy, _random: Generator) -> None:
    """Zero the two smaller of every four weights along a row (NVIDIA's 2:4 pattern)."""

    def cut(matrix: Tensor) -> Tensor:
        fours = matrix.reshape(len(matrix), -1, 4)
        ranks = np.abs(fours).argsort(axis=2).argsort(axis=2)
        kept: Tensor = np.where(ranks >= 2, fours, 0)
        return kept.reshape(matrix.shape)

    model.map_matrices(cut)


def drop_neurons(model: Anatomy, _random: Generator, share: float = 0.25) -> None:
    """Take out this share of each MLP's neurons: the smallest by the norm of what they read times what they write."""
    kept = model.intermediate - int(share * model.intermediate)
    for mlp in model.mlps:
        weight = np.linalg.norm(mlp["up"], axis=1) * np.linalg.norm(mlp["down"], axis=0)
        neurons.take(mlp, np.sort(np.argsort(weight)[-kept:]))


def drop_heads(model: Anatomy, _random: Generator | None = None, *, hidden: int = 0) -> None:
    """Take out the query heads of each group that matter least, or where groups have one head, the groups that do.

    A quarter goes, or more until the heads left divide the hidden size, as configurations must.

    Args:
        model: Changed in place.
        hidden: The size they must divide; the model's own by default.
    """
    width, groups = model.head_dim, model.groups
    outputs = np.stack([layer.parts["o"].reshape(model.hidden, groups, -1, width) for layer in model.layers])
    norms = np.linalg.norm(outputs, axis=(1, 4))  # layers x groups x heads of a group
    share = norms.shape[2]
    if share > 1:
        count = _most(share, groups, hidden or model.hidden)
        kept = np.tile(np.arange(groups), (len(norms), 1))
        heads.take(model, kept, np.sort(np.argsort(norms, axis=2)[:, :, -count:], axis=2))
    else:
        count = _most(groups, 1, hidden or model.hidden)
        kept = np.sort(np.argsort(norms[:, :, 0], axis=1)[:, -count:], axis=1)
        heads.take(model, kept, np.zeros((*kept.shape, 1), int))


def _most(count: int, times: int, hidden: int) -> int:
    return next(kept for kept in range(max(1, count * 3 // 4), 0, -1) if hidden % (kept * times) == 0)
