"""The simulation of many models on many machines, against what can be reckoned by hand."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.fleet.__main__ import bound, main
from benchmarks.fleet.simulation import Fleet, Run
from benchmarks.fleet.sizes import KNOWN_GB, drawn

IDEAL = Fleet(
    4,
    processors=8,
    seconds_per_gb=2.0,
    overhead=0,
    dispatch=0,
    network=1e9,
    storage=1e9,
    slow=0,
    bad=0,
    killed=0,
    hours_between_losses=1e12,
)


def test_without_trouble_it_takes_the_work_divided_by_the_processors() -> None:
    found = Run(IDEAL, np.full(3200, 10.0)).result()
    assert found.hours * 3600 == pytest.approx(3200 * 10 * 2 / 32)
    assert (found.done, found.used) == (3200, pytest.approx(1))


@pytest.mark.parametrize(("limit", "seconds"), [({"storage": 4.0}, 8000), ({"network": 2.0}, 4000), ({"dispatch": 3.0}, 9617)])
def test_what_is_scarce_decides(limit: dict[str, float], seconds: float) -> None:
    found = Run(replace(IDEAL, **limit), np.full(3200, 10.0)).result()
    assert found.hours * 3600 == pytest.approx(seconds, rel=0.01)


def test_whatever_is_lost_every_model_is_accounted_for() -> None:
    fleet = replace(IDEAL, bad=0.1, killed=0.2, tries=3, hours_between_losses=0.2, hours_to_replace=0.05, slow=0.3)
    found = Run(fleet, drawn(2000, KNOWN_GB, 0)).result()
    assert found.done + found.refused + found.given_up == 2000
    assert found.machines_lost > 10
    assert found.given_up > 0
    assert found.attempts_lost > 300
    assert found.hours > Run(IDEAL, drawn(2000, KNOWN_GB, 0)).result().hours


def test_the_table_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert bound(Fleet(1)) == "their network"
    assert main(["--models", "300", "--machines", "1", "3"]) == 0
    assert "machine hours" in " ".join(capsys.readouterr().out.split())
