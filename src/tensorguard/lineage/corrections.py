"""Corrections for many tests, on base-10 logarithms of p-values, which would underflow."""

from collections.abc import Sequence
from math import log10


def bonferroni(log10_p: float, tests: int) -> float:
    """Return log10 of the smaller of 1 and p x `tests`."""
    return min(0.0, log10_p + log10(tests))


def holm(log10_p: Sequence[float], tests: int | None = None) -> tuple[float, ...]:
    """Return log10 of Holm's (1979) adjusted p-values, in the order given.

    Args:
        log10_p: The p-values of the hypotheses reported.
        tests: How many were tested in all, at least as many as are given: those left out have larger p-values. None: those given.
    """
    total = len(log10_p) if tests is None else tests
    adjusted = [0.0] * len(log10_p)
    largest = -float("inf")
    for rank, index in enumerate(sorted(range(len(log10_p)), key=lambda i: log10_p[i])):
        largest = max(largest, bonferroni(log10_p[index], total - rank))
        adjusted[index] = largest
    return tuple(adjusted)
