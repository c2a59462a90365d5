"""Looking through a registry page by page: held against a plain search of all its entries."""

import sqlite3
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tensorguard.registry import browsing, rows
from tensorguard.registry.entry import Entry, Facts
from tensorguard.registry.registry import Registry
from tensorguard.registry.rows import Row
from tensorguard.registry.schema import TABLES

PIECES = ("llama", "LLaMA", "3.1", "100%", "a_b", "ab", "\\", '"', "!", "é", "É", "publisher", "finetune", "x\ny", "'")
texts = st.lists(st.sampled_from(PIECES), max_size=3).map("-".join)
facts = st.builds(Facts, family=texts, publisher=texts, licence=texts, parents=st.lists(texts, max_size=2).map(tuple))


def lowered(text: str) -> str:
    """As SQLite compares: letters of ASCII alone lose their case."""
    return "".join(each.lower() if each.isascii() else each for each in text)


def holds(entry: Entry, word: str) -> bool:
    said = [entry.name, entry.facts.family, entry.facts.publisher, entry.facts.licence, *entry.facts.parents]
    return any(lowered(word) in lowered(text) for text in said)


@settings(max_examples=200, deadline=None)
@given(
    said=st.lists(facts, min_size=1, max_size=12), words=st.lists(st.sampled_from(PIECES), max_size=2), most=st.integers(1, 5)
)
def test_pages_hold_what_a_plain_search_finds(said: list[Facts], words: list[str], most: int) -> None:
    entries = [
        Entry(f"{'model' if at % 2 else 'Llama'}-{at:02}", "public" if at % 3 else "other", each)
        for at, each in enumerate(said)
    ]
    connection = sqlite3.connect(":memory:")
    connection.executescript(TABLES)
    for entry in entries:
        rows.insert(connection, Row(entry))
    for key in (None, "public"):
        found: list[Entry] = []
        while page := browsing.page(connection, words, key, (found[-1].name, found[-1].key) if found else ("", ""), most):
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
