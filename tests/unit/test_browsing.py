"""Looking through a registry page by page: held against a plain search of all its entries."""

import sqlite3
from pathlib import Path
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from support.known import known
from tensorguard.errors import InputError
from tensorguard.registry import browsing, rows
from tensorguard.registry import words as index
from tensorguard.registry.entry import Entry, Facts
from tensorguard.registry.registry import DATABASE, Registry
from tensorguard.registry.rows import Row
from tensorguard.registry.schema import TABLES, lacks

PIECES = (
    "llama",
    "LLaMA",
    "3.1",
    "100%",
    "a_b",
    "ab",
    "\\",
    '"',
    "!",
    "é",
    "É",
    "publisher",
    "finetune",
    "x\ny",
    "'",
    "ẞtraße",
    "K",
)
texts = st.lists(st.sampled_from(PIECES), max_size=3).map("-".join)
facts = st.builds(Facts, family=texts, publisher=texts, licence=texts, parents=st.lists(texts, max_size=2).map(tuple))


def lowered(text: str) -> str:
    """As SQLite compares: letters of ASCII alone lose their case."""
    return "".join(each.lower() if each.isascii() else each for each in text)


def holds(entry: Entry, word: str) -> bool:
    said = [entry.name, entry.facts.family, entry.facts.publisher, entry.facts.licence, *entry.facts.parents]
    return any(lowered(word) in lowered(text) for text in said)


def refused(error: InputError) -> None:
    raise error


@settings(max_examples=120, deadline=None)
@given(
    said=st.lists(facts, min_size=1, max_size=12),
    words=st.lists(st.sampled_from(PIECES), max_size=2),
    most=st.integers(1, 5),
    few=st.sampled_from((None, 1, 2, 2_000)),
)
def test_pages_hold_what_a_plain_search_finds(said: list[Facts], words: list[str], most: int, few: int | None) -> None:
    """With an index of words that many or few entries are looked at by, or without one."""
    entries = [
        Entry(f"{'model' if at % 2 else 'Llama'}-{at:02}", "public" if at % 3 else "other", each)
        for at, each in enumerate(said)
    ]
    connection = sqlite3.connect(":memory:")
    connection.executescript(TABLES)
    for statement in lacks(connection) if few else ():
        connection.execute(statement)
    for entry in entries:
        rows.insert(connection, Row(entry))
    with patch.object(index, "_FEW", few), patch.object(browsing, "_NEAR", 3):
        check(connection, entries, words, most)


def check(connection: sqlite3.Connection, entries: list[Entry], words: list[str], most: int) -> None:
    for key in (None, "public"):
        found: list[Entry] = []
        while page := browsing.page(
            connection, words, key, (found[-1].name, found[-1].key) if found else ("", ""), most, refused
        ):
            assert len(page) <= most
            found += page
        wanted = [each for each in entries if key in (None, each.key) and all(holds(each, word) for word in words)]
        assert found == sorted(wanted, key=lambda each: (each.name, each.key))


def test_children_are_found_by_any_name_of_their_parent_whole_and_in_any_case(tmp_path: Path) -> None:
    named = {
        "a": ("org/Parent",),
        "b": ("x", "ORG/PARENT"),
        "c": ("org/parent-2",),
        "d": (),
        "e": ('we"ird\\%',),
        "f": ("org_parent",),
    }
    with Registry(tmp_path / "r", create=True) as registry:
        registry.insert(
            Row(Entry(name, "public", Facts(parents=parents, family="org/parent"))) for name, parents in named.items()
        )
        registry.insert([Row(Entry("g", "other", Facts(parents=("org/parent",))))])
        assert [each.name for each in registry.children(["org/parent"])] == ["a", "b"]
        assert [each.name for each in registry.children(["org/parent", 'WE"ird\\%'])] == ["a", "b", "e"]
        assert [each.name for each in registry.children(["org/parent"], most=1)] == ["a"]
        assert [each.name for each in registry.children(["org/parent"], "other")] == ["g"]
        assert registry.children([]) == registry.children(["%"]) == []


def held(registry: Registry, *words: str) -> list[str]:
    return [each.name for each in registry.page(words)]


def test_the_index_of_words_follows_every_change(tmp_path: Path) -> None:
    with Registry(tmp_path / "r", create=True) as registry:
        registry.add(known(1), Facts(family="Llama 3.1"), name="one")
        registry.add(known(2), Facts(family="Llama 3.2"), name="two")
        assert held(registry, "LLAMA") == ["one", "two"]
        registry.add(known(1), Facts(family="Qwen"), name="one")
        assert (held(registry, "llama"), held(registry, "qwen"), held(registry, "one\0two")) == (["two"], ["one"], [])
        registry.add(known(3), Facts(family="Phi"), name="one")
        assert (held(registry, "qwen"), held(registry, "phi")) == ([], ["one"])
        registry.remove("two")
        assert held(registry, "llama") == []
        with registry._database.writing() as connection:
            connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
            left = [
                connection.execute("SELECT count(*) FROM words WHERE words MATCH ?", (word,)).fetchone()
                for word in ("lla", "phi")
            ]
            assert left == [(0,), (1,)]


def test_a_registry_of_an_earlier_version_gets_its_index_when_it_is_filled_or_indexed(tmp_path: Path) -> None:
    for step in (lambda: Registry(tmp_path / "r", create=True), lambda: Registry(tmp_path / "r").build_index()):
        with Registry(tmp_path / "r", create=True) as registry:
            registry.add(known(1), Facts(family="Llama 3.1"), name="one")
            registry.add(known(2), Facts(), name="two")
        with sqlite3.connect(tmp_path / "r" / DATABASE) as database:
            for statement in ("TABLE words", "TABLE total", "TRIGGER entry_added", "TRIGGER entry_removed"):
                database.execute(f"DROP {statement}")
        with Registry(tmp_path / "r") as registry:
            assert (held(registry, "llama"), registry.count()) == (["one"], 2)
            registry.remove("two")
            assert list(registry.damage()) == []
        step()
        with sqlite3.connect(tmp_path / "r" / DATABASE) as database:
            assert lacks(database) == ()
        with Registry(tmp_path / "r") as registry:
            assert (held(registry, "llama"), held(registry, "two"), registry.count()) == (["one"], [], 1)
            assert [each.name for each in registry.called(["O", "e"], lambda name: name != "x")] == ["one"]


def test_a_malformed_row_is_left_out_and_the_pages_go_on(tmp_path: Path) -> None:
    with Registry(tmp_path / "r", create=True) as registry:
        registry.insert(Row(Entry(f"llama-{at}", "public", Facts(parents=("llama",)))) for at in range(9))
        with registry._database.writing() as connection:
            connection.execute("UPDATE entry SET facts = '{' WHERE name IN ('llama-1', 'llama-2')")
            connection.execute("UPDATE entry SET added = x'00' WHERE name = 'llama-5'")
        for words in ((), ("llama",), ("ll",)):
            first = registry.page(words, most=3)
            assert [each.name for each in first] == ["llama-0", "llama-3", "llama-4"]
            assert [each.name for each in registry.page(words, after=("llama-4", "public"), most=3)] == [
                "llama-6",
                "llama-7",
                "llama-8",
            ]
        assert [each.name for each in registry.children(["llama"])] == [f"llama-{at}" for at in (0, 3, 4, 6, 7, 8)]
        assert len(registry.notices) == 3
        assert "'llama-5' is malformed" in " ".join(registry.notices)
