from math import log10

import numpy as np
import pytest
from scipy import stats

from tensorguard.lineage.corrections import bonferroni, holm


def test_bonferroni() -> None:
    assert bonferroni(-8.0, 100) == pytest.approx(-6.0)
    assert bonferroni(-1.0, 100) == 0.0
    assert bonferroni(-300.0, 10) == pytest.approx(-299.0)


def test_no_false_alarm_among_true_nulls_more_often_than_promised() -> None:
    p = np.log10(np.random.default_rng(0).uniform(size=(4000, 10)))
    alarms = sum(bonferroni(float(each.min()), 10) <= log10(0.05) for each in p)
    assert alarms <= stats.binom.ppf(0.9999, 4000, 0.05)


def test_holm() -> None:
    # The textbook's example: 0.01, 0.04, 0.03, 0.005 give 0.03, 0.06, 0.06, 0.02.
    adjusted = holm(np.log10([0.01, 0.04, 0.03, 0.005]).tolist())
    assert [10**each for each in adjusted] == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_pays_for_hypotheses_that_are_not_reported() -> None:
    assert [10**each for each in holm(np.log10([0.001, 0.0001]).tolist(), 100)] == pytest.approx([0.099, 0.01])


def test_holm_is_never_stricter_than_bonferroni_and_keeps_the_order() -> None:
    p = np.sort(np.log10(np.random.default_rng(1).uniform(size=20)))
    adjusted = holm(p.tolist())
    assert all(a <= bonferroni(float(each), 20) for a, each in zip(adjusted, p, strict=True))
    assert list(adjusted) == sorted(adjusted)
