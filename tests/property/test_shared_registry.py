"""A registry in object storage: whatever the order in which changes arrive, and whoever puts them together, all see the same."""

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from support.shared import Said, in_memory, opened, row, said
from tensorguard.registry import mirror
from tensorguard.registry.changes import Dated, added, packed, removed, unpacked
from tensorguard.registry.database import Database
from tensorguard.registry.entry import Entry

NAMES = st.sampled_from(["a", "b", "org/c"])
CHANGES = st.lists(
    st.tuples(st.integers(0, 4), NAMES, st.sampled_from(["public", "k1"]), st.sampled_from([None, "old", "new"])), max_size=12
)


def change(time: int, name: str, key: str, family: str | None) -> Dated:
    return removed(time, name, key) if family is None else added(time, row(name, family, key))


def applied(database: Database, *arrivals: list[Dated]) -> dict[tuple[str, str], Entry]:
    """The entries after some arrivals in an empty registry."""
    with database.writing() as connection:
        for table in ("entry", "change"):
            connection.execute(f"DELETE FROM {table}")
        for changes in arrivals:
            mirror.apply(connection, changes)
        found = connection.execute("SELECT name, key, facts, fingerprint FROM entry").fetchall()
    return {(name, key): (facts, fingerprint) for name, key, facts, fingerprint in found}


def test_any_order_and_any_packing_lead_to_one_state(tmp_path: Path) -> None:
    database = Database(tmp_path / "registry.sqlite", create=True)
    with database.writing() as connection:
        mirror.prepare(connection, "this")

    @settings(max_examples=30, deadline=None)
    @given(CHANGES, st.randoms(use_true_random=False), st.integers(0, 12))
    def holds(drawn: list[tuple[int, str, str, str | None]], random: object, cut: int) -> None:
        changes = [change(*each) for each in drawn]
        latest: dict[tuple[str, str], Dated] = {}
        for each in sorted(changes, key=lambda each: each.stamp):
            latest[each.name, each.key] = each
        expected = {place: each.row.entry.fingerprint for place, each in latest.items() if each.row is not None}
        shuffled = list(changes)
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        together = [each for name, raw in packed(shuffled[:cut], 99) for each in unpacked(name, raw)]
        for arrivals in ([changes], [shuffled], [shuffled, changes], [together, shuffled[cut:]], [shuffled[cut:], together]):
            found = applied(database, *arrivals)
            assert {place: fingerprint for place, (_, fingerprint) in found.items()} == expected

    holds()
    database.close()


def test_an_object_says_again_what_was_put_into_it() -> None:
    changes = [added(5, row("a", "old")), added(7, row("a", "new")), removed(6, "b", "public"), added(3, row("c"))]
    ((name, raw),) = packed(changes)
    assert name.startswith(f"{7:016x}-")
    assert [(each.name, each.stamp) for each in unpacked(name, raw)] == [
        (each.name, each.stamp) for each in (changes[3], changes[2], changes[1])
    ]
    assert unpacked(name, raw)[2].row.entry == changes[1].row.entry  # type: ignore[union-attr]
    assert list(packed(reversed(changes))) == [(name, raw)]


STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["add", "add", "add", "remove", "pack", "look"]), NAMES, st.integers(0, 9)),
    min_size=1,
    max_size=14,
)


@settings(max_examples=7, deadline=None)
@given(STEPS, st.lists(st.integers(-(10**15), 10**15), min_size=3, max_size=3), st.booleans())
def test_writers_whose_clocks_disagree_come_to_one_state(
    steps: list[tuple[int, str, str, int]], skews: list[int], looking: bool
) -> None:
    """Of writers that look before they write, the last one's word holds, whatever their clocks say; of others, one and the same."""
    objects, told = in_memory(), {}
    with TemporaryDirectory() as folder:
        ticks = iter(range(10**18, 10**18 + 1000))
        writers = [
            opened(objects, Path(folder, str(n)), lambda skew=skew: next(ticks) + skew)  # type: ignore[misc]
            for n, skew in enumerate(skews)
        ]
        for number, what, name, value in steps:
            writer = writers[number]
            if looking or what in ("pack", "look"):
                writer._database.refresh(now=True)
            if what == "add":
                writer.insert([row(name, str(value))])
                told[name] = str(value)
            elif what == "remove":
                writer.remove(name)
                told.pop(name, None)
            elif what == "pack":
                writer._pack()
        fresh = opened(objects, Path(folder, "fresh"))
        states: list[Said] = [said(each) for each in (fresh, *writers)]
        assert all(state == states[0] for state in states)
        if looking:
            assert {name: entry.facts.family for (name, _), (entry, *_) in states[0].items()} == told
        for each in (fresh, *writers):
            each.close()


def test_a_late_change_of_an_earlier_time_counts_where_nothing_later_was_said(tmp_path: Path) -> None:
    objects = in_memory()
    one, other = (opened(objects, tmp_path / name) for name in ("one", "other"))
    late = list(
        packed([added(1_000, row("kept", "late")), added(1_001, row("replaced", "late")), added(1_002, row("gone", "late"))])
    )
    one.insert([row("replaced", "now"), row("gone", "now"), *(row(f"m{n}") for n in range(70))])
    one.remove("gone")
    one._pack()
    other._shared.add_changes(late)  # by somebody whose clock is decades behind, and who was slow
    for registry in (one, other):
        found = {name: entry.facts.family for (name, _), (entry, *_) in said(registry).items()}
        assert {name: found.get(name) for name in ("kept", "replaced", "gone")} == {
            "kept": "late",
            "replaced": "now",
            "gone": None,
        }
        registry._pack()
    assert said(opened(objects, tmp_path / "fresh")) == said(one)
    assert sqlite3.connect(tmp_path / "one/registry.sqlite").execute("PRAGMA integrity_check").fetchone() == ("ok",)
