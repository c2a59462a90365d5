"""A first look at two models: how alike their blocks act, without any null."""

from tensorguard.fingerprint.sketches import Sketches
from tensorguard.lineage.alignment import best_assignment, pair_sum
from tensorguard.lineage.evidence import _bases
from tensorguard.signals.operator_evidence import mean_cosines


def screen(a: Sketches, b: Sketches) -> float:
    """Return the largest mean cosine of operators."""
    found = [0.0]
    for _, A, B, _ in _bases(a, b):
        matrix = mean_cosines(A, B, [(0, 1, 2, 3, 4)])[0]
        if matrix.size:
            found.append(pair_sum(matrix, best_assignment(matrix)) / min(matrix.shape))
    return max(found)
