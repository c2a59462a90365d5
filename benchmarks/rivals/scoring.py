"""Statistics of a side-by-side: rates with intervals, areas under the curve with a bootstrap that knows pairs share models."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Z = 1.959963984540054
"""The normal quantile of a two-sided 95 % interval."""


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a rate (Wilson 1927); (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    rate, z2 = successes / trials, _Z**2
    centre = (rate + z2 / (2 * trials)) / (1 + z2 / trials)
    half = _Z / (1 + z2 / trials) * math.sqrt(rate * (1 - rate) / trials + z2 / (4 * trials**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def auc(scores: ArrayLike, linked: ArrayLike, weights: ArrayLike | None = None) -> float:
    """The chance that a linked pair scores above an unlinked one, ties counting half; NaN if there are none of either.

    Args:
        scores: One a pair; minus infinity for an abstention, so that abstentions tie with each other.
        linked: Whether each pair is.
        weights: How often each pair counts; 1 by default.
    """
    values, truth = np.asarray(scores, np.float64), np.asarray(linked, bool)
    counts = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    _, place = np.unique(values, return_inverse=True)
    positive = np.bincount(place, counts * truth)
    negative = np.bincount(place, counts * ~truth)
    total = positive.sum() * negative.sum()
    if total == 0:
        return math.nan
    return float((positive * (np.cumsum(negative) - negative / 2)).sum() / total)


def found_without_false_links(scores: ArrayLike, linked: ArrayLike) -> tuple[float, int, int]:
    """Return the largest score of an unlinked pair, how many linked pairs score above it, and how many linked pairs there are."""
    values, truth = np.asarray(scores, np.float64), np.asarray(linked, bool)
    threshold = float(values[~truth].max(initial=-math.inf))
    return threshold, int((values[truth] > threshold).sum()), int(truth.sum())


def bootstrap_auc(
    scores: ArrayLike, linked: ArrayLike, bases: Sequence[Sequence[str]], *, repeats: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """A 95 % interval of the AUC: bases are drawn with replacement, and a pair counts as often as all its bases together were drawn.

    Drawing pairs would pretend that a base's fifty derivatives are fifty findings.

    Args:
        scores: See `auc`.
        linked: See `auc`.
        bases: The bases that each pair's two models come from, each base once.
        repeats: Number of draws; those without a linked or an unlinked pair are left out.
        seed: Of the draws.
    """
    names = sorted({base for each in bases for base in each})
    involved = np.array([[name in each for name in names] for each in bases], dtype=bool).reshape(len(bases), len(names))
    random = np.random.default_rng(seed)
    areas: list[float] = []
    for _ in range(repeats):
        drawn = np.bincount(random.integers(len(names), size=len(names)), minlength=len(names)) if names else np.zeros(0)
        areas.append(auc(scores, linked, np.where(involved, drawn, 1).prod(axis=1)))
    kept: NDArray[np.float64] = np.array(areas)[~np.isnan(areas)]
    if not len(kept):
        return math.nan, math.nan
    low, high = np.percentile(kept, [2.5, 97.5])
    return float(low), float(high)
