"""Compacting a registry: what removed entries left behind is given back, and nothing else is lost."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support.known import known
from tensorguard.registry.compaction import Compacted, Sizes
from tensorguard.registry.entry import Entry, Facts
from tensorguard.registry.registry import DATABASE, Registry
from tensorguard.registry.rows import Row
from tensorguard.reports.registry_upkeep import compacted


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry(tmp_path / "known", create=True) as registry:
        for number in range(6):
            registry.add(known(number), Facts(family=f"family {number}"))
        registry.insert(Row(Entry(f"bulk-{at:05}", "public", Facts(publisher="x" * 200)), {}, (at,)) for at in range(600))
        yield registry


def told(registry: Registry) -> object:
    hits = [registry.search(known(number), 3) for number in range(6)]
    return list(registry.entries()), hits, [registry.page([word]) for word in ("family", "bulk-00007", "model-3", "nobody")]


def test_what_removed_entries_left_is_freed_and_the_rest_answers_as_before(registry: Registry) -> None:
    registry.build_index(least=1)
    for at in range(590):
        registry.remove(f"bulk-{at:05}")
    registry.remove("model-5")
    stray = registry.folder / "fingerprints" / "00" / f"{'0' * 64}.tgfp"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(bytes(1000))
    before = told(registry)
    size = (registry.folder / DATABASE).stat().st_size
    done = registry.compact()
    assert told(registry) == before
    assert (done.files, done.file_bytes) == (1, 1000)
    assert not stray.exists()
    assert done.after.database == (registry.folder / DATABASE).stat().st_size < size / 2
    assert done.after.log == 0
    assert done.after.index < done.before.index
    assert done.vectors == 5 * 3
    assert done.freed > size / 4
    assert not [name for name, _ in registry.damage() if not name.startswith("bulk")]  # these have no files
    with sqlite3.connect(registry.folder / DATABASE) as database:
        assert database.execute("PRAGMA freelist_count").fetchone() == (0,)
        assert database.execute("INSERT INTO words (words) VALUES ('integrity-check')").fetchall() == []


def test_a_second_time_there_is_nothing_to_free(registry: Registry) -> None:
    registry.build_index(least=1)
    registry.remove("model-5")
    registry.compact()
    again = registry.compact()
    assert (again.freed, again.files, again.vectors) == (0, 0, 0)
    assert again.before == again.after


def test_the_index_of_what_is_all_removed_goes(registry: Registry) -> None:
    registry.build_index(least=1)
    for number in range(6):
        registry.remove(f"model-{number}")
    assert registry.compact().vectors == 0
    assert not list(registry.folder.glob("index/*.vectors"))
    registry.add(known(1), Facts())
    assert [hit.entry.name for hit in registry.search(known(1))] == ["model-1"]


def test_a_registry_of_an_earlier_version_gets_what_it_lacks(registry: Registry) -> None:
    with sqlite3.connect(registry.folder / DATABASE) as database:
        for text in ("DROP TABLE words", "DROP TABLE shape", "DROP TABLE layout", "DROP TRIGGER entry_added"):
            database.execute(text)
        database.execute("DROP TRIGGER entry_removed")
        database.execute("DROP TABLE total")
    with Registry(registry.folder) as old:
        old.remove("bulk-00001")
        old.compact()
        assert old.count() == 6 + 599
        assert [entry.name for entry in old.page(["bulk-00007"])] == ["bulk-00007"]


def test_a_better_index_may_take_more_than_was_freed() -> None:
    sizes = Sizes(1000, 0, 0)
    done = Compacted(sizes, replace(sizes, index=500), 0, 0, 7)
    assert done.freed == -500
    assert "500 bytes more" in compacted(done, 1, "known").summary
