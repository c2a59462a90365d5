"""A test of statistics that are linear in random rotations: T = sum over groups of tr(M_g^T R_g), R_g independent and Haar.

Cosines of matrices of which one side is turned are of that kind. No draws are needed: under the null the mean is 0, the variance is known,
and ln p <= -T^2 / 2v is proven (`rotations.trace_moments`).

Rotations are a model, though. What is known of independent models is that their hidden dimensions are exchangeable; where permutations
of real weights spread T more than rotations do, its variance is multiplied by what was measured, and the bound is conditional on that.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tensorguard.signals.null_draws import SMALLEST_LOG10_P, How, Test
from tensorguard.signals.rotations import trace_moments


def linear_test(groups: Iterable[NDArray[np.float64]], factors: Iterable[float] | None = None) -> Test:
    """Test T = sum of the traces of all M_g, each of shape (n, n), against R_g that are independent Haar rotations.

    Args:
        groups: Every M_g.
        factors: How many times larger than under rotations the variance of each trace is; None: rotations are what is meant.
    """
    matrices = list(groups)
    statistic = variance = proxy = 0.0
    for M, factor in zip(matrices, [1.0] * len(matrices) if factors is None else factors, strict=True):
        moments = trace_moments(M)
        statistic += float(np.trace(M))
        variance, proxy = variance + factor * moments[0], proxy + factor * moments[1]
    how: How = "exact" if factors is None else "conditional"
    if not variance > 0:
        return Test(statistic, 0.0, 0.0, statistic, 0.0, 0.0, how)
    log10_p = -(max(0.0, statistic) ** 2) / (2 * proxy) / np.log(10)
    sd = float(np.sqrt(variance))
    return Test(statistic, 0.0, sd, statistic, statistic / sd, max(SMALLEST_LOG10_P, float(log10_p)), how)
