"""How surprising a statistic is, given draws of it under the null hypothesis.

Where ten draws or more reach the statistic, its p-value is the Monte Carlo one, (1 + k) / (N + 1): exact for exchangeable draws.
Beyond the draws nothing can be counted, and the tail is *extrapolated* by a shifted gamma distribution (Pearson's type III) with the
draws' mean and standard deviation. Its one shape parameter decides how heavy the tail is, so it errs to the heavy side: the larger of
the sample skewness plus two standard errors, and of the skewness at which a gamma distribution has the draws' excess kurtosis.
What bounds it: the statistics are means of bounded cosines, a smooth function of a Haar rotation, so that their true tails are
sub-Gaussian (concentration of measure on O(n); Meckes 2019, theorem 5.17), while a gamma tail is only exponential: far out the
extrapolation falls more slowly than the truth. It remains an extrapolation: its scale is estimated from the draws, not proven.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

How = Literal["exact", "monte-carlo", "extrapolated", "conditional"]
"""`exact`: an upper bound that is proven under the null; `conditional`: a bound, or an extrapolation, that rests on a measured constant:
how much independent models may agree, or how much more than rotations permutations of real weights spread a statistic."""

SMALLEST_LOG10_P = -300.0
"""Smaller p-values are given as this one."""

_COUNTED = 10
"""Draws that must reach a statistic for its p-value to be counted."""

_SMALLEST_SKEWNESS = 0.05


@dataclass(frozen=True, slots=True)
class Test:
    """One statistic against its null hypothesis; one-sided, large values count.

    Attributes:
        statistic: What was measured.
        null_mean: Its mean under the null.
        null_sd: Its standard deviation under the null.
        excess: `statistic` - `null_mean`: the effect size.
        z: (`excess` - what a composite null allows) / `null_sd`.
        log10_p: Base-10 logarithm of the p-value, never below -300.
        how: How the p-value was come by.
    """

    statistic: float
    null_mean: float
    null_sd: float
    excess: float
    z: float
    log10_p: float
    how: How

    @property
    def upper(self) -> float:
        """99 % upper bound of the excess, by the null's standard deviation."""
        return self.excess + 2.326 * self.null_sd


def judge(statistic: float, draws: NDArray[np.floating], margin: float | None = None) -> Test:
    """Test a statistic against draws under the null.

    Args:
        statistic: The value observed.
        draws: The same statistic under the null, of shape (N,), N >= 20 or so.
        margin: Of a composite null "the excess is at most this": makes the p-value conditional on it. None: the excess is zero.
    """
    wide: NDArray[np.float64] = draws.astype(np.float64)
    mean, sd = float(wide.mean()), float(wide.std(ddof=1))
    excess = statistic - mean
    if not sd > 0:
        return Test(statistic, mean, 0.0, excess, 0.0, 0.0, "conditional" if margin is not None else "monte-carlo")
    z = (excess - (margin or 0.0)) / sd
    reached = int((wide >= statistic).sum())
    if margin is None and reached >= _COUNTED:
        return Test(statistic, mean, sd, excess, z, float(np.log10((1 + reached) / (len(draws) + 1))), "monte-carlo")
    log10_p = tail(z, skewness(wide))
    return Test(statistic, mean, sd, excess, z, log10_p, "extrapolated" if margin is None else "conditional")


def critical(draws: NDArray[np.floating], p: float) -> float:
    """Return the value that the extrapolated null reaches with probability `p`."""
    from scipy.special import gammainccinv  # takes long to load, and fingerprints do without

    shape = 4 / skewness(draws.astype(np.float64)) ** 2
    z = (float(gammainccinv(shape, p)) - shape) / np.sqrt(shape)
    return float(draws.mean() + z * draws.std(ddof=1))


def tail(z: float, skew: float) -> float:
    """Return log10 of the chance that a standardised gamma variable of the given skewness (> 0) reaches `z`, at least -300."""
    from scipy.special import gammaincc

    shape = 4 / skew**2
    p = float(gammaincc(shape, max(0.0, shape + z * np.sqrt(shape))))
    return float(np.log10(p)) if p > 10**SMALLEST_LOG10_P else SMALLEST_LOG10_P


def skewness(draws: NDArray[np.float64]) -> float:
    """Return the conservative skewness of the module's docstring."""
    sd = draws.std()
    if not sd > 0:
        return _SMALLEST_SKEWNESS
    scaled = (draws - draws.mean()) / sd
    sampled = float((scaled**3).mean()) + 2 * np.sqrt(6 / len(draws))
    heavy = np.sqrt(max(0.0, float((scaled**4).mean()) - 3) / 1.5)
    return float(max(sampled, heavy, _SMALLEST_SKEWNESS))
