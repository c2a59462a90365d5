"""A test of statistics that are linear in random rotations: T = sum over groups of tr(M_g^T R_g), R_g independent and Haar.

Cosines of matrices of which one side is turned are of that kind. No draws are needed: under the null the mean is 0, the variance is known,
and ln p <= -T^2 / 2v is proven (`rotations.trace_moments`).
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tensorguard.signals.null_draws import SMALLEST_LOG10_P, Test
from tensorguard.signals.rotations import trace_moments


def linear_test(groups: Iterable[NDArray[np.float64]]) -> Test:
    """Test T = sum of the traces of all M_g, each of shape (n, n), against R_g that are independent Haar rotations."""
    statistic = variance = proxy = 0.0
    for M in groups:
        moments = trace_moments(M)
        statistic, variance, proxy = statistic + float(np.trace(M)), variance + moments[0], proxy + moments[1]
    if not variance > 0:
        return Test(statistic, 0.0, 0.0, statistic, 0.0, 0.0, "exact")
    log10_p = -(max(0.0, statistic) ** 2) / (2 * proxy) / np.log(10)
    sd = float(np.sqrt(variance))
    return Test(statistic, 0.0, sd, statistic, statistic / sd, max(SMALLEST_LOG10_P, float(log10_p)), "exact")
