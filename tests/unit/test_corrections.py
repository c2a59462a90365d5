from math import log10

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tensorguard.lineage.corrections import bonferroni, holm


def test_bonferroni() -> None:
    assert bonferroni(-8.0, 100) == pytest.approx(-6.0)
    assert bonferroni(-1.0, 100) == 0.0


@given(st.lists(st.floats(1e-12, 1), min_size=1, max_size=12, unique=True))
def test_holm_by_its_definition(p: list[float]) -> None:
    order = np.argsort(p)
    steps = np.minimum(1, np.maximum.accumulate((len(p) - np.arange(len(p))) * np.array(p)[order]))
    found = 10 ** np.array(holm([log10(each) for each in p]))
    np.testing.assert_allclose(found[order], steps)


def test_holm_is_between_the_p_value_and_bonferroni() -> None:
    p = [-3.0, -9.0, -1.0]
    for raw, adjusted in zip(p, holm(p), strict=True):
        assert raw <= adjusted <= bonferroni(raw, 3)


def test_holm_over_more_than_is_shown() -> None:
    assert holm([-9.0, -8.0], tests=1000) == pytest.approx((-6.0, -8 + log10(999)))


def test_nothing_underflows() -> None:
    assert holm([-300.0, -299.0]) == pytest.approx((-300 + log10(2), -299.0))


def test_no_false_alarm_among_true_nulls_more_often_than_promised() -> None:
    rng = np.random.default_rng(0)
    alarms = sum(min(holm(np.log10(rng.uniform(size=10)).tolist())) <= log10(0.05) for _ in range(4000))
    assert alarms <= stats.binom.ppf(0.9999, 4000, 0.05)
