import numpy as np
import pytest
from scipy import stats

from tensorguard.signals.linear_test import linear_test
from tensorguard.signals.null_draws import critical, judge, skewness, tail
from tensorguard.signals.rotations import haar, trace_moments

NORMAL = stats.norm.ppf((np.arange(256) + 0.5) / 256)


def test_what_draws_reach_is_counted() -> None:
    found = judge(1.0, NORMAL)
    assert found.how == "monte-carlo"
    assert 10**found.log10_p == pytest.approx((1 + (NORMAL >= 1).sum()) / 257)


def test_what_no_draw_reaches_is_extrapolated_to_the_heavy_side() -> None:
    found = judge(6.0, NORMAL)
    assert found.how == "extrapolated"
    assert stats.norm.logsf(6) / np.log(10) < found.log10_p < -5
    assert found.z == pytest.approx(6.0, rel=0.02)


def test_a_margin_makes_it_conditional() -> None:
    found = judge(6.0, NORMAL, margin=2.0)
    assert found.how == "conditional"
    assert found.excess == pytest.approx(6.0)
    assert found.z == pytest.approx(4.0, rel=0.02)
    assert found.log10_p > judge(6.0, NORMAL).log10_p
    assert judge(0.0, NORMAL, margin=2.0).log10_p == pytest.approx(0, abs=0.02)


def test_the_tail_is_the_gamma_distribution_s() -> None:
    for z, skew in ((3.0, 0.5), (20.0, 0.5), (5.0, 2.0), (-1.0, 1.0)):
        assert tail(z, skew) == pytest.approx(stats.pearson3.logsf(z, skew) / np.log(10), rel=1e-6)
    assert tail(1e6, 0.5) == -300
    assert tail(-1e6, 0.5) == 0


def test_skewness_errs_to_the_heavy_side() -> None:
    rng = np.random.default_rng(0)
    assert np.mean([skewness(rng.standard_normal(256)) > 0 for _ in range(200)]) > 0.97
    exponential = [skewness(rng.standard_exponential(256)) for _ in range(50)]
    assert np.mean(np.array(exponential) > 1.5) > 0.8
    laplace = [skewness(rng.laplace(size=256)) for _ in range(50)]
    assert np.mean(laplace) > 0.9  # symmetric, yet heavier than a normal distribution


def test_constant_draws_are_no_evidence() -> None:
    assert judge(1.0, np.zeros(50)).log10_p == 0


def test_the_critical_value_is_reached_with_that_chance() -> None:
    value = critical(NORMAL, 1e-3)
    assert judge(value, NORMAL).log10_p == pytest.approx(-3, abs=1e-6)


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_moments_of_a_trace_against_draws(rank: int) -> None:
    rng = np.random.default_rng(rank)
    M = rng.standard_normal((8, rank)) @ rng.standard_normal((rank, 8))
    draws = np.einsum("ij,dij->d", M, haar(8, 20_000))
    variance, proxy = trace_moments(M)
    assert draws.var() == pytest.approx(variance, rel=0.05)
    assert abs(draws.mean()) < 4 * np.sqrt(variance / len(draws))
    for z in (1, 2, 3, 4):
        t = z * np.sqrt(variance)
        assert (draws >= t).mean() <= np.exp(-(t**2) / (2 * proxy)) + 1e-3


def test_a_linear_test_adds_its_groups() -> None:
    rng = np.random.default_rng(0)
    groups = [rng.standard_normal((n, n)) for n in (4, 9)]
    found = linear_test(groups)
    assert found.statistic == pytest.approx(sum(np.trace(M) for M in groups))
    assert found.null_sd == pytest.approx(np.sqrt((groups[0] ** 2).sum() / 4 + (groups[1] ** 2).sum() / 9))
    assert found.how == "exact"
    wider = linear_test(groups, [4.0, 4.0])
    assert wider.null_sd == pytest.approx(2 * found.null_sd)
    assert wider.log10_p == pytest.approx(found.log10_p / 4)
    assert wider.how == "conditional"
    assert linear_test([]).log10_p == 0
    assert linear_test([-np.eye(5)]).log10_p == 0
    proxy = 3 * trace_moments(np.eye(6))[1]
    assert linear_test([np.eye(6)] * 3).log10_p == pytest.approx(-(18**2) / (2 * proxy) / np.log(10))
    assert linear_test([np.eye(40)] * 9).log10_p == -300
