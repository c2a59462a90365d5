"""Correction for many tests, on base-10 logarithms of p-values, which would underflow."""

from collections.abc import Sequence
from math import log10


def bonferroni(log10_p: float, tests: int) -> float:
    """Return log10 of the smaller of 1 and p x `tests`."""
    return min(0.0, log10_p + log10(tests))


def holm(log10_ps: Sequence[float], tests: int | None = None) -> tuple[float, ...]:
    """Return p-values adjusted by Holm's step-down method, in the order given.

    Args:
        log10_ps: log10 of the p-values.
        tests: How many hypotheses there are in all; those not given count as p = 1. The given ones by default.
    """
    total = len(log10_ps) if tests is None else tests
    adjusted = [0.0] * len(log10_ps)
    largest = float("-inf")
    for rank, at in enumerate(sorted(range(len(log10_ps)), key=lambda each: log10_ps[each])):
        largest = max(largest, bonferroni(log10_ps[at], total - rank))
        adjusted[at] = largest
    return tuple(adjusted)
