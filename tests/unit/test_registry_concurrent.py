"""One registry used by threads of one process and by several processes at once."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from support.known import known
from tensorguard.registry.entry import Facts
from tensorguard.registry.registry import Registry

EACH = 6


def in_processes(*tasks: Callable[[], object]) -> None:
    processes = [multiprocessing.get_context("fork").Process(target=task) for task in tasks]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * len(tasks)


def write(folder: Path, first: int, create: bool = False) -> None:
    with Registry(folder, create=create) as registry:
        for number in range(first, first + EACH):
            registry.add(known(number), Facts())
            registry.add(known(number), Facts(family=str(number)), name="shared")


def read(folder: Path) -> None:
    """Whatever others do, what is seen is whole: an entry has its file, a hit its entry, and numbers only grow."""
    with Registry(folder) as registry:
        seen = 0
        for _ in range(15):
            hits = registry.search(known(100))
            assert len({hit.entry.name for hit in hits}) == len(hits) >= 1
            assert hits[0].entry.name == "model-100"
            for hit in hits:
                registry.fingerprint(hit.entry)
            count = sum(entry.name != "shared" for entry in registry.entries())  # that one is removed while this reads
            assert count >= seen
            seen = count


def compact(folder: Path) -> None:
    with Registry(folder) as registry:
        for _ in range(4):
            registry.remove("shared")
            registry.compact()


def test_writers_and_readers_in_several_processes(tmp_path: Path) -> None:
    folder = tmp_path / "known"
    with Registry(folder, create=True) as registry:
        registry.add(known(100), Facts())
    in_processes(*(partial(write, folder, EACH * at) for at in range(3)), partial(read, folder), partial(read, folder))
    with Registry(folder) as registry:
        names = {entry.name for entry in registry.entries()}
        assert names == {f"model-{number}" for number in (*range(3 * EACH), 100)} | {"shared"}
        assert list(registry.damage()) == []
        assert registry.sweep() == 0


def test_compacting_while_others_read_and_write(tmp_path: Path) -> None:
    folder = tmp_path / "known"
    with Registry(folder, create=True) as registry:
        registry.add(known(100), Facts())
        registry.build_index(least=0)
    in_processes(partial(write, folder, 0), partial(write, folder, EACH), partial(read, folder), partial(compact, folder))
    with Registry(folder) as registry:
        names = {entry.name for entry in registry.entries()}
        assert names - {"shared"} == {f"model-{number}" for number in (*range(2 * EACH), 100)}
        assert list(registry.damage()) == []


def test_several_processes_that_make_the_same_registry_make_one(tmp_path: Path) -> None:
    in_processes(*(partial(write, tmp_path / "known", EACH * at, True) for at in range(3)))
    with Registry(tmp_path / "known") as registry:
        assert registry.count() == 3 * EACH + 1


def test_threads_share_one_registry(tmp_path: Path) -> None:
    with Registry(tmp_path / "known", create=True) as registry:
        registry.add(known(100), Facts())

        def work(number: int) -> Any:
            registry.add(known(number), Facts())
            found = [hit.entry.name for hit in registry.search(known(number), 100)]
            read = [registry.fingerprint(entry).name for entry in registry.entries()]
            return found[0] == f"model-{number}" and f"model-{number}" in read and "model-100" in found

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(work, range(40)))
        assert registry.count() == 41
        assert list(registry.damage()) == []


def test_the_index_is_built_while_others_write_and_search(tmp_path: Path) -> None:
    with Registry(tmp_path / "known", create=True) as registry, ThreadPoolExecutor(3) as threads:
        for number in range(10):
            registry.add(known(number), Facts())
        building = threads.submit(lambda: [registry.build_index(least=1) for _ in range(10)])
        writing = threads.submit(lambda: [registry.add(known(number), Facts()) for number in range(10, 40)])
        while not (building.done() and writing.done()):
            assert registry.search(known(3))[0].entry.name == "model-3"
        assert (len(building.result()), len(writing.result())) == (10, 30)
        for number in range(40):
            assert registry.search(known(number), 1)[0].entry.name == f"model-{number}"
        assert len(registry.search(known(0), 100)) == 40
