"""Candidates that cannot be told apart: copies of each other, siblings that hardly differ, merges of other candidates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tensorguard.lineage import regression
from tensorguard.lineage.regression import Array

SEVERE = 30.0
"""Variance inflation from which on only the sum of the weights is worth reporting."""


@dataclass(frozen=True, slots=True)
class Collinear:
    """Models of which only the sum of the weights can be told.

    Attributes:
        names: The models; those that are not among the parents could stand in for one that is.
        weight: The sum of their weights.
        se: Its standard error.
    """

    names: tuple[str, ...]
    weight: float
    se: float


def inflation(gram: Array, chosen: Sequence[int], base: int | None) -> tuple[float, tuple[float, ...]]:
    """Return the condition number of the chosen models' differences at length 1, and the variance inflation of each model.

    Differences are from the base, or else from the first of the others. The base itself counts as 1.

    Args:
        gram: Pooled Gram matrix, shape (m + 1, m + 1).
        chosen: The models of the fit.
        base: Which of them is the base.
    """
    factors = [_correlations(gram, chosen, each, base) for each in chosen]
    condition = max((float(np.linalg.cond(matrix)) for _, matrix in factors if len(matrix)), default=1.0)
    return min(condition, 1e12), tuple(factor for factor, _ in factors)


def _correlations(gram: Array, chosen: Sequence[int], model: int, base: int | None) -> tuple[float, Array]:
    others = [each for each in chosen if each != model]
    if model == base or not others:
        return 1.0, np.zeros((0, 0))
    reference = base if base is not None else others[0]
    columns = [model, *(each for each in others if each != reference)]
    turn = np.zeros((len(columns), gram.shape[-1]))
    turn[np.arange(len(columns)), np.array(columns) + 1] = 1.0
    turn[:, reference + 1] -= 1.0
    inner = turn @ gram @ turn.T
    size = np.sqrt(np.maximum(np.diag(inner), 1e-300))
    correlation = inner / np.outer(size, size)
    inverse = np.linalg.inv(correlation + regression.RIDGE * np.eye(len(columns)))
    return min(max(float(inverse[0, 0]), 1.0), 1e12), correlation


def collinear(
    blocks: Array, names: Sequence[str], chosen: Sequence[int], base: int | None, tolerance: float, rest: float
) -> tuple[Collinear, ...]:
    """Return the groups of models that cannot be told apart.

    A model that was dropped can stand in for one of the chosen if what is left grows by no more than `tolerance` when they are
    swapped; two of the chosen belong together if their variance inflation is `SEVERE`.

    Args:
        blocks: Gram matrices of the blocks, shape (B, m + 1, m + 1).
        names: Names of all m models.
        chosen: The models of the fit.
        base: Which of them is the base.
        tolerance: Share of the residual.
        rest: What rounding of sketches leaves anyhow.
    """
    most = (_left(blocks, chosen) + rest) / (1.0 - tolerance)
    groups = {each: {each} for each in chosen}
    for each in chosen:
        others = [other for other in chosen if other != each]
        if others and _left(blocks, others) + rest <= most:
            continue  # The base of a merge whose weights sum to 1: nobody has to stand in for it.
        for dropped in set(range(len(names))) - set(chosen):
            if _left(blocks, [*others, dropped]) + rest <= most:
                groups[each].add(dropped)
    factors = inflation(blocks.sum(axis=0), chosen, base)[1]
    severe = {each for each, factor in zip(chosen, factors, strict=True) if factor > SEVERE}
    together = [group for group in (*groups.values(), severe) if len(group) > 1]
    weight, covariance = regression.jackknife(blocks, chosen)
    found = []
    for group in _joined(together):
        inside = np.array([each in group for each in chosen], np.float64)
        named = [*(m for m in chosen if m in group), *sorted(group - set(chosen))]
        se = float(np.sqrt(max(float(inside @ covariance @ inside), 0.0)))
        found.append(Collinear(tuple(names[each] for each in named), float(inside @ weight), se))
    return tuple(found)


def _joined(groups: Sequence[set[int]]) -> list[set[int]]:
    """Return the groups, those that overlap made one."""
    joined: list[set[int]] = []
    for group in groups:
        apart = [other for other in joined if not other & group]
        joined = [*apart, group.union(*(other for other in joined if other & group))]
    return joined


def _left(blocks: Array, chosen: Sequence[int]) -> float:
    return float(regression.residual(blocks, chosen, regression.weights(blocks, chosen)).sum())
