"""The operators' evidence in one basis: the best alignment of the blocks, and what it is worth under random rotations."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.lineage.alignment import Pairs, assignment_sums, best_assignment, best_path, pair_sum, path_scores
from tensorguard.lineage.calibration import BLOCK_LEVEL
from tensorguard.signals.null_draws import Test, critical, judge
from tensorguard.signals.operator_evidence import Operators, cosines, mean_cosines, null_means
from tensorguard.signals.operators import OPERATORS
from tensorguard.signals.rotations import haar

COMPONENTS = {"all": (0, 1, 2, 3, 4), "attention": (0, 1), "mlp": (2, 3, 4)}
"""Which operators each component is made of."""


@dataclass(frozen=True, slots=True, eq=False)
class OperatorTests:
    """What the operators say in one basis.

    Attributes:
        tests: Of T, the mean cosine along the best monotone path, by component; only components that both models have.
        reordered: Of the mean cosine over the best one-to-one pairs of blocks in any order.
        effects: T of each operator along the path of `all`; only operators that both models have.
        matrix: Mean cosines of all operators, of shape (LA, LB).
        path: The best path of `all`.
        noticeable: Above this cosine a pair of blocks is alike beyond chance, over all pairs together.
        noise: Standard deviation of a pair's cosine under the null.
    """

    tests: dict[str, Test]
    reordered: Test
    effects: dict[str, float]
    matrix: NDArray[np.float64]
    path: Pairs
    noticeable: float
    noise: float


def operator_tests(A: Operators, B: Operators, margin: Mapping[str, float] | None = None) -> OperatorTests | None:
    """Test whether B's blocks act as A's do.

    Args:
        A: The first model's operators, ready for comparison (`signals.operator_evidence`).
        B: The second's, in a basis of the same size.
        margin: Of the composite null, by component; None for the rotation null itself.

    Returns:
        None if the models have no operator in common.
    """
    sizes = {name: _blocks_with(A, B, operators) for name, operators in COMPONENTS.items()}
    components = {name: operators for name, operators in COMPONENTS.items() if sizes[name]}
    if not components:
        return None
    observed = mean_cosines(A, B, list(components.values()))
    lengths = np.array([sizes[name] for name in components])
    means = np.concatenate(list(null_means(A, B, list(components.values()), haar(A.shape[-1]))))
    null, assigned = path_scores(means) / lengths, assignment_sums(means[:, 0]) / lengths[0]
    found = path_scores(observed) / lengths
    path, matrix = best_path(observed[0]), observed[0]
    return OperatorTests(
        tests={name: judge(float(found[i]), null[:, i], _of(margin, name)) for i, name in enumerate(components)},
        reordered=judge(pair_sum(matrix, best_assignment(matrix)) / sizes["all"], assigned, _of(margin, "all")),
        effects=_effects(A, B, path),
        matrix=matrix,
        path=path,
        noticeable=critical(means[:, 0].max((1, 2)), BLOCK_LEVEL) + (_of(margin, "all") or 0.0),
        noise=float(means[:, 0].std((1, 2)).mean()),
    )


def _of(margin: Mapping[str, float] | None, component: str) -> float | None:
    return None if margin is None else margin[component]


def _blocks_with(A: Operators, B: Operators, operators: tuple[int, ...]) -> int:
    """Return over how many pairs of blocks a component's mean is taken: no more than either model has; 0 if they share no operator."""
    shared = [o for o in operators if A[:, o].any() and B[:, o].any()]
    return min(int(each[:, shared].any((1, 2, 3)).sum()) for each in (A, B)) if shared else 0


def _effects(A: Operators, B: Operators, path: Pairs) -> dict[str, float]:
    each = cosines(A, B)
    along = np.array([[each[o, a, b] for a, b in path] for o in range(len(each))])
    return {name: float(np.nanmean(row)) for name, row in zip(OPERATORS, along, strict=True) if not np.isnan(row).all()}
