"""Every engine gives the same results in the same order, and the first error ends the rest."""

import pytest
from threadpoolctl import threadpool_limits

from support.functions import blas_threads, refuse_seven, square
from tensorguard.engines.base import Engine
from tensorguard.engines.inline import Inline
from tensorguard.engines.processes import Processes
from tensorguard.engines.threads import Threads
from tensorguard.errors import InputError

ENGINES = [Inline(), Threads(1), Threads(3), Processes(2)]
NAMES = ["inline", "one thread", "three threads", "two processes"]


@pytest.mark.parametrize("engine", ENGINES, ids=NAMES)
def test_results_come_in_order(engine: Engine) -> None:
    assert list(engine.map(square, range(50))) == [n * n for n in range(50)]


@pytest.mark.parametrize("engine", ENGINES, ids=NAMES)
def test_every_task_runs_with_blas_on_one_thread(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # of processes that are started
    with threadpool_limits(2, user_api="blas"):
        assert blas_threads(1) == 2
        assert set(engine.map(blas_threads, range(4))) == {1}


@pytest.mark.parametrize("engine", ENGINES, ids=NAMES)
def test_no_items_no_results(engine: Engine) -> None:
    assert list(engine.map(square, [])) == []


@pytest.mark.parametrize("engine", ENGINES, ids=NAMES)
def test_an_error_comes_with_all_its_fields(engine: Engine) -> None:
    with pytest.raises(InputError) as caught:
        list(engine.map(refuse_seven, range(20)))
    assert (caught.value.message, caught.value.where, caught.value.hint) == ("seven", "file", "not seven")
