import math

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score, roc_curve

from benchmarks.rivals.scoring import auc, bootstrap_auc, found_without_false_links, wilson


def _sample(seed: int, size: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    linked = random.random(size) < 0.4
    scores = np.round(random.normal(linked * 1.0), 1)  # rounded: many ties
    return scores, linked, random.integers(0, 4, size).astype(float)


@pytest.mark.parametrize("seed", range(5))
def test_auc_is_that_of_scikit_learn(seed: int) -> None:
    scores, linked, weights = _sample(seed)
    assert auc(scores, linked) == pytest.approx(roc_auc_score(linked, scores), abs=1e-12)
    assert auc(scores, linked, weights) == pytest.approx(roc_auc_score(linked, scores, sample_weight=weights), abs=1e-12)


def test_abstentions_tie_with_each_other_below_everything() -> None:
    scores = np.array([0.9, -math.inf, -math.inf, 0.1])
    linked = np.array([True, True, False, False])
    assert auc(scores, linked) == pytest.approx(roc_auc_score(linked, [0.9, -5, -5, 0.1]))


def test_auc_needs_both_kinds() -> None:
    assert math.isnan(auc([1.0, 2.0], [True, True]))
    assert math.isnan(auc([], []))


@pytest.mark.parametrize("seed", range(5))
def test_found_without_false_links_is_the_roc_curve_at_zero(seed: int) -> None:
    scores, linked, _ = _sample(seed)
    false, true, _ = roc_curve(linked, scores, drop_intermediate=False)
    threshold, found, of = found_without_false_links(scores, linked)
    assert found / of == pytest.approx(true[false == 0].max())
    assert threshold == scores[~linked].max()


def test_an_abstention_is_never_found() -> None:
    assert found_without_false_links([-math.inf, 0.5], [True, True]) == (-math.inf, 1, 2)
    assert found_without_false_links([-math.inf, -math.inf], [True, False]) == (-math.inf, 0, 1)


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (10, 10), (7, 23), (1, 1000)])
def test_wilson_is_that_of_scipy(successes: int, trials: int) -> None:
    expected = binomtest(successes, trials).proportion_ci(method="wilson")
    assert wilson(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_without_trials_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_bootstrap_draws_bases_not_pairs() -> None:
    """Copies of the pairs of the same bases carry no information: the interval stays."""
    scores, linked, _ = _sample(1, 60)
    bases = [(f"base-{at % 6}",) for at in range(60)]
    once = bootstrap_auc(scores, linked, bases, repeats=200)
    thrice = bootstrap_auc(np.tile(scores, 3), np.tile(linked, 3), bases * 3, repeats=200)
    assert thrice == pytest.approx(once, abs=1e-12)
    assert once[0] < auc(scores, linked) < once[1]


def test_bootstrap_counts_a_pair_of_two_bases_by_the_product() -> None:
    """With one linked pair of base A and one unlinked of A and B, only draws with both have an area, and it is 1."""
    assert bootstrap_auc([1.0, 0.0], [True, False], [("A",), ("A", "B")], repeats=50) == (1.0, 1.0)


def test_bootstrap_without_both_kinds_is_nan() -> None:
    assert all(math.isnan(end) for end in bootstrap_auc([1.0], [True], [("A",)], repeats=10))
    assert all(math.isnan(end) for end in bootstrap_auc([], [], [], repeats=10))
