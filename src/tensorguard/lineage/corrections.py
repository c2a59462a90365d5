"""Correction for many tests, on base-10 logarithms of p-values, which would underflow."""

from math import log10


def bonferroni(log10_p: float, tests: int) -> float:
    """Return log10 of the smaller of 1 and p x `tests`."""
    return min(0.0, log10_p + log10(tests))
