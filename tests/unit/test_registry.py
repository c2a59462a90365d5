"""What a registry keeps, finds, replaces and removes, judged by its answers and by the standard library's look at its database."""

import sqlite3
from pathlib import Path

import pytest

from support.known import known
from tensorguard.errors import InputError, NotFoundError, UsageError
from tensorguard.fingerprint.file import encode_fingerprint
from tensorguard.limits import MAX_FACT_CHARACTERS
from tensorguard.registry.entry import Entry, Facts
from tensorguard.registry.registry import DATABASE, Registry

FACTS = Facts("org/one", "abc", "Family", "Someone", "llama3.1", ("org/base", "x"), "finetune", "2024-05-06")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "known", create=True)


def files(registry: Registry) -> set[str]:
    return {path.stem for path in registry.folder.rglob("*.tgfp")}


def test_an_entry_is_found_as_it_was_added_and_again_by_who_opens_the_registry_later(registry: Registry) -> None:
    added = registry.add(known(1), FACTS, origin="imported", verified=False)
    registry.close()
    with Registry(registry.folder) as again:
        found = again.find("model-1")
        assert found == added
        assert found is not None
        assert (found.facts, found.origin, found.verified, found.key) == (FACTS, "imported", False, "public")
        assert encode_fingerprint(again.fingerprint(found)) == encode_fingerprint(again.fingerprint(added))
        assert again.path(found).is_file()
        assert list(again.damage()) == []


def test_a_model_is_found_by_its_name_its_repository_and_a_revision_of_it(registry: Registry) -> None:
    registry.add(known(1), FACTS)
    registry.add(known(2), Facts("org/one", "def"))
    registry.add(known(3), Facts("org/other", "abc"), name="org/one@abc")

    def name(text: str, key: str = "public") -> str | None:
        entry = registry.find(text, key)
        return None if entry is None else entry.name

    assert name("model-1") == "model-1"
    assert name("org/one") == "model-2"  # added last
    assert name("org/one@def") == "model-2"
    assert name("org/one@abc") == "org/one@abc"  # a name goes before a repository
    assert name("org/other") == "org/one@abc"
    assert [name(text) for text in ("model-9", "org/one@", "@", "org/one@xyz", "")] == [None] * 5
    assert name("model-1", "another key") is None


@pytest.mark.parametrize("since", ["now", "before totals were kept"])
def test_entries_are_counted_by_key_whatever_was_replaced_or_removed(registry: Registry, since: str) -> None:
    if since != "now":
        with sqlite3.connect(registry.folder / DATABASE) as database:
            database.executescript("DROP TRIGGER entry_added; DROP TRIGGER entry_removed; DROP TABLE total")
    for number in range(4):
        registry.add(known(number), Facts())
    registry.add(known(9, key="secret"), Facts())
    registry.add(known(2, "model-1"), Facts())  # replaces
    registry.remove("model-0")
    for key, expected in (("public", 3), ("secret", 1), ("another", 0)):
        assert registry.count(key) == len(list(registry.entries(key))) == expected


def test_what_is_not_there_is_said_with_similar_names_or_the_key_that_has_it(registry: Registry) -> None:
    registry.add(known(1), Facts(), name="llama-3-8b-instruct")
    registry.add(known(2, key="secret"), Facts(), name="qwen")
    with pytest.raises(NotFoundError) as missed:
        registry.entry("lama-3-8b-instruct")
    assert "llama-3-8b-instruct" in missed.value.hint
    with pytest.raises(NotFoundError) as other:
        registry.entry("qwen")
    assert "secret" in other.value.hint


def test_adding_the_same_name_replaces_it_and_its_file(registry: Registry) -> None:
    registry.add(known(1), FACTS)
    old = files(registry)
    changed = registry.add(known(1), Facts(licence="mit"))
    assert files(registry) == old
    assert list(registry.entries()) == [changed]
    replaced = registry.add(known(1, tuning=0.3), FACTS)
    assert files(registry) == {replaced.fingerprint} != old
    assert list(registry.entries()) == [replaced]
    assert [hit.entry for hit in registry.search(known(1))] == [replaced]


def test_one_file_of_two_names_stays_until_neither_needs_it(registry: Registry) -> None:
    for name in ("one", "two"):
        registry.add(known(1), Facts(), name=name)
    assert len(files(registry)) == 1
    assert registry.remove("one") == 1
    assert len(files(registry)) == 1
    assert registry.remove("two") == 1
    assert files(registry) == set()
    assert registry.remove("two") == 0
    assert registry.search(known(1)) == []


def test_keys_do_not_mix(registry: Registry) -> None:
    registry.add(known(1), Facts())
    secret = registry.add(known(1, key="secret"), Facts())
    assert [registry.count(key) for key in ("public", "secret", "none")] == [1, 1, 0]
    assert list(registry.entries("secret")) == [secret]
    assert len(list(registry.entries())) == 2
    assert [hit.entry for hit in registry.search(known(1, key="secret"))] == [secret]
    assert registry.remove("model-1", "secret") == 1
    assert [entry.key for entry in registry.entries()] == ["public"]
    registry.add(known(1, key="secret"), Facts())
    assert registry.remove("model-1") == 2


def test_entries_come_by_name_however_many(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tensorguard.registry.rows._PAGE", 3)
    for number in (5, 3, 8, 1, 9, 2, 7):
        registry.add(known(number), Facts())
        registry.add(known(number, key="secret"), Facts())
    public = [entry.name for entry in registry.entries("public")]
    assert public == [f"model-{number}" for number in (1, 2, 3, 5, 7, 8, 9)]
    assert [(entry.name, entry.key) for entry in registry.entries()] == [(n, k) for n in public for k in ("public", "secret")]


@pytest.mark.parametrize(
    "name", ["'; DROP TABLE entry; --", "a\0b", "\udcff", "../../x", "名前", "a" * MAX_FACT_CHARACTERS, "%_*"]
)
def test_names_are_text_and_nothing_else(registry: Registry, name: str) -> None:
    registry.add(known(1), Facts(repository=name, parents=(name,)), name=name)
    registry.add(known(2), Facts())
    found = registry.entry(name)
    assert [entry for entry in registry.entries() if entry.name != "model-2"] == [found]
    assert registry.find(f"{name}x") is None
    assert registry.remove(name) == 1
    assert [entry.name for entry in registry.entries()] == ["model-2"]


def test_what_cannot_be_an_entry_is_refused_and_leaves_nothing(registry: Registry) -> None:
    model, long = known(1), "x" * (MAX_FACT_CHARACTERS + 1)
    for name, facts in (("", Facts()), (long, Facts()), ("x", Facts(family=long)), ("x", Facts(parents=(long,)))):
        with pytest.raises(UsageError):
            registry.add(model, facts, name=name)
    with pytest.raises(UsageError):
        registry.add(model, Facts(parents=("x",) * (MAX_FACT_CHARACTERS + 1)))
    for refused in (lambda: registry.search(model, 0), lambda: registry.search(bare()), lambda: registry.add(bare(), Facts())):
        with pytest.raises(UsageError):
            refused()
    assert (list(registry.entries()), files(registry)) == ([], set())


def bare():  # type: ignore[no-untyped-def]
    from support.prints import sketched_print

    return sketched_print(None, "bare")


def test_a_fingerprint_whose_file_is_gone_or_changed_is_refused_and_named(registry: Registry) -> None:
    entries = [registry.add(known(number), Facts()) for number in (1, 2, 3)]
    registry.path(entries[0]).unlink()
    path = registry.path(entries[1])
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    for entry in entries[:2]:
        with pytest.raises(InputError):
            registry.fingerprint(entry)
    assert {name for name, _ in registry.damage()} == {"model-1", "model-2"}
    for number in (1, 2):
        registry.add(known(number), Facts())  # mends it
    assert list(registry.damage()) == []


def test_who_holds_an_entry_that_was_replaced_reads_the_newer_one_and_is_told_of_a_removed_one(registry: Registry) -> None:
    old = registry.add(known(1), Facts())
    new = registry.add(known(1, tuning=0.3), Facts())
    assert encode_fingerprint(registry.fingerprint(old)) == encode_fingerprint(registry.fingerprint(new))
    registry.remove("model-1")
    with pytest.raises(NotFoundError):
        registry.fingerprint(old)


def test_an_entry_cannot_lead_out_of_the_folder(registry: Registry) -> None:
    for digest in ("../../../../etc/passwd", "", "A" * 64, f"{'a' * 63}/"):
        with pytest.raises(InputError):
            registry.fingerprint(Entry("x", "public", fingerprint=digest))


def test_what_killed_writers_left_is_swept_and_nothing_else(registry: Registry) -> None:
    kept = registry.add(known(1), Facts())
    orphan = registry.path(Entry("x", "public", fingerprint="0" * 64))
    orphan.parent.mkdir()
    orphan.write_bytes(b"x")
    (registry.path(kept).parent / ".x.part").write_bytes(b"x")
    (registry.folder / "notes.txt").write_text("mine")
    assert registry.sweep() == 2
    assert files(registry) == {kept.fingerprint}
    assert (registry.folder / "notes.txt").exists()
    assert registry.sweep() == 0


def test_the_database_is_sound_in_the_eyes_of_sqlite_itself(registry: Registry) -> None:
    for number in range(5):
        registry.add(known(number), FACTS)
    registry.add(known(2, tuning=0.3), FACTS)
    registry.remove("model-3")
    registry.close()
    with sqlite3.connect(registry.folder / DATABASE) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        counts = [
            database.execute(f"SELECT count(DISTINCT entry) FROM {table}").fetchone()[0] for table in ("vector", "digest")
        ]
        assert counts == [4, 4]
        assert {name for (name,) in database.execute("SELECT name FROM entry")} == {f"model-{n}" for n in (0, 1, 2, 4)}
