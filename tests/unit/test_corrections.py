from math import log10

import numpy as np
import pytest
from scipy import stats

from tensorguard.lineage.corrections import bonferroni


def test_bonferroni() -> None:
    assert bonferroni(-8.0, 100) == pytest.approx(-6.0)
    assert bonferroni(-1.0, 100) == 0.0
    assert bonferroni(-300.0, 10) == pytest.approx(-299.0)


def test_no_false_alarm_among_true_nulls_more_often_than_promised() -> None:
    p = np.log10(np.random.default_rng(0).uniform(size=(4000, 10)))
    alarms = sum(bonferroni(float(each.min()), 10) <= log10(0.05) for each in p)
    assert alarms <= stats.binom.ppf(0.9999, 4000, 0.05)
