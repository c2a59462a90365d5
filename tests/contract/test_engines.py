"""Every engine gives the same results in the same order, and the first error ends the rest."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

from support.checkpoints import bert, gpt2, llama, save, save_gguf
from support.functions import blas_threads, killed, refuse_seven, refuse_seven_quietly, square, unpicklable, with_threads
from support.ray_cluster import cluster
from tensorguard.api.fingerprints import Settings
from tensorguard.api.many import fingerprint_many
from tensorguard.engines.base import Engine, Fleet, Task, ignore
from tensorguard.engines.inline import Inline
from tensorguard.engines.processes import Processes
from tensorguard.engines.ray import TRIES, Ray
from tensorguard.engines.threads import Threads
from tensorguard.errors import InputError, ResourceError
from tensorguard.fingerprint.specification import Specification
from tensorguard.probes.inputs import ProbeSpec

ENGINES: dict[str, Callable[[], Engine]] = {
    "inline": Inline,
    "one thread": partial(Threads, 1),
    "three threads": partial(Threads, 3),
    "two processes": partial(Processes, 2),
    "ray": Ray,
}
FLEETS = [name for name in ENGINES if "thread" not in name]
WITH_WORKERS = ["two processes", "ray"]


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[None]:
    with cluster():
        yield


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "ray":
        request.getfixturevalue("ray_cluster")
    return ENGINES[request.param]()


def with_each(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("engine", names, indirect=True)


@with_each(*ENGINES)
def test_results_come_in_order(engine: Engine) -> None:
    assert list(engine.map(square, range(50))) == [n * n for n in range(50)]


@with_each(*ENGINES)
def test_every_task_runs_with_blas_on_one_thread(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # of processes that are started
    with threadpool_limits(2, user_api="blas"):
        assert blas_threads(1) == 2
        assert set(engine.map(blas_threads, range(4))) == {1}


@with_each(*ENGINES)
def test_no_items_no_results(engine: Engine) -> None:
    assert list(engine.map(square, [])) == []


@with_each(*ENGINES)
def test_an_error_comes_with_all_its_fields(engine: Engine) -> None:
    with pytest.raises(InputError) as caught:
        list(engine.map(refuse_seven, range(20)))
    assert (caught.value.message, caught.value.where, caught.value.hint) == ("seven", "file", "not seven")


@with_each(*FLEETS)
def test_large_tasks_are_told_as_they_end(engine: Fleet) -> None:
    begun: list[int] = []
    finished = list(engine.each(with_threads, (Task(n) for n in range(30)), begun.append))
    assert begun == list(range(30))
    assert sorted((each.item, each.result, each.error) for each in finished) == [(n, (n * n, 1), None) for n in range(30)]


@with_each(*WITH_WORKERS)
def test_a_task_gets_its_share_of_the_processors(engine: Fleet) -> None:
    (finished,) = engine.each(with_threads, [Task(3, share=1.0)], ignore)
    assert finished.result == (9, 2)


@with_each(*FLEETS)
def test_an_error_is_told_and_the_others_go_on(engine: Fleet) -> None:
    told = {each.item: each for each in engine.each(refuse_seven_quietly, map(Task, range(10)), ignore)}
    assert [n for n, each in told.items() if each.error] == [7]
    assert isinstance(told[7].error, InputError)
    assert {each.result for each in told.values()} == {*range(10), None} - {7}
    (finished,) = engine.each(unpicklable, [Task(1)], ignore)
    assert "1 and more" in str(finished.error)


@with_each(*WITH_WORKERS)
def test_a_killed_worker_costs_one_more_attempt(engine: Fleet, tmp_path: Path) -> None:
    (tmp_path / "survives").write_text("2")
    places = [tmp_path / name for name in "ab"]
    finished = list(engine.each(killed, map(Task, places), ignore))
    assert sorted(str(each.result) for each in finished) == [f"{name} at attempt 2" for name in "ab"]


@with_each(*WITH_WORKERS)
def test_what_kills_every_worker_is_told_and_the_others_go_on(engine: Fleet, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "survives").write_text("")
    (tmp_path / "survives").write_text("1")
    places = [tmp_path / "bad" / "x", *(tmp_path / name for name in "ab")]
    told = {each.item.name: each for each in engine.each(killed, map(Task, places), ignore)}
    assert isinstance(told["x"].error, ResourceError)
    assert "times" in told["x"].error.message or "twice" in told["x"].error.message
    assert len(list((tmp_path / "bad" / "x").iterdir())) == (TRIES if isinstance(engine, Ray) else 2)
    assert sorted(str(each.result) for name, each in told.items() if name != "x") == [f"{n} at attempt 1" for n in "ab"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("models")
    save_gguf(root / "gguf" / "some.gguf", llama(1), "llama")
    save(root / "llama", llama())
    save(root / "bert", bert(), "bert")
    save(root / "gpt2", gpt2(), "gpt2")
    (root / "bad").mkdir()
    (root / "bad" / "model.safetensors").write_bytes(b"nonsense")
    return sorted(root.iterdir())


@pytest.fixture(scope="module")
def expected(models: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return written(models, tmp_path_factory.mktemp("expected"), Inline())


def written(models: list[Path], folder: Path, engine: Fleet) -> dict[str, bytes]:
    settings = Settings(Specification(ProbeSpec(repeats=2)))
    found = {each.model: each.status for each in fingerprint_many(models, folder, settings=settings, engine=engine)}
    assert found == {str(model): "failed" if model.name == "bad" else "done" for model in models}
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@with_each(*WITH_WORKERS)
def test_fingerprints_are_the_same_bytes(engine: Fleet, models: list[Path], expected: dict[str, bytes], tmp_path: Path) -> None:
    assert written(models, tmp_path, engine) == expected
    assert len(expected) == 8
