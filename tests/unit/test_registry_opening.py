"""Opening what is not, not yet, no longer or not entirely a registry."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from support.known import known
from tensorguard.errors import InputError, NotFoundError, ResourceError, TensorGuardError
from tensorguard.registry import schema
from tensorguard.registry.entry import Facts
from tensorguard.registry.registry import DATABASE, Registry

NOBODY = 65_534


def made(folder: Path, models: int = 1) -> Path:
    with Registry(folder, create=True) as registry:
        for number in range(models):
            registry.add(known(number), Facts())
    return folder


def test_what_is_missing_is_not_found_and_not_made(tmp_path: Path) -> None:
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(NotFoundError):
            Registry(folder)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_or_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"x")
    for create in (False, True):
        for place in (tmp_path / "photos", tmp_path / "photos" / "cat.jpg"):
            with pytest.raises(InputError):
                Registry(place, create=create)
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["cat.jpg"]


def of_another_program(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE bookmarks (url TEXT)")


def newer(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version={schema.VERSION + 1}")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (of_another_program, "is not a registry"),
        (newer, "newer TensorGuard"),
        (lambda path: path.write_bytes(b"no database at all" * 1000), "damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "damaged"),
    ],
)
def test_a_database_that_is_none_of_ours_is_refused_in_one_line(
    tmp_path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    folder = made(tmp_path / "known")
    spoil(folder / DATABASE)
    before = (folder / DATABASE).read_bytes()
    for create in (False, True):
        with pytest.raises(InputError) as refused:
            Registry(folder, create=create)
        assert says in str(refused.value)
        assert refused.value.hint
        assert "\n" not in str(refused.value)
    assert (folder / DATABASE).read_bytes() == before


def test_damage_in_the_middle_is_one_clear_error_or_listed(tmp_path: Path) -> None:
    folder = made(tmp_path / "known", 20)
    raw = bytearray((folder / DATABASE).read_bytes())
    for start in range(8192, len(raw), 8192):
        raw[start : start + 64] = b"\xff" * 64
    (folder / DATABASE).write_bytes(raw)
    registry = Registry(folder)
    for ask in (lambda: list(registry.entries()), lambda: registry.search(known(1)), lambda: registry.add(known(99), Facts())):
        with pytest.raises(InputError, match="damaged"):
            ask()
    assert [name for name, _ in registry.damage()][:1] == [""]


def test_rows_that_hold_nonsense_are_left_out_named_and_can_be_removed(tmp_path: Path) -> None:
    folder = made(tmp_path / "known", 9)
    changes = (
        "facts = '[1, 2]'",
        "facts = 'x'",
        "origin = 'elsewhere'",
        "added = x'00'",
        "fingerprint = '../x'",
        "name = x'ff'",
    )
    with sqlite3.connect(folder / DATABASE) as database:
        for number, change in enumerate(changes):
            database.execute(f"UPDATE entry SET {change} WHERE name = 'model-{number}'")
        database.execute("UPDATE vector SET numbers = x'00' WHERE entry = (SELECT id FROM entry WHERE name = 'model-6')")
    sound = ["model-6", "model-7", "model-8"]
    with Registry(folder) as registry:
        assert [entry.name for entry in registry.entries()] == ["model-4", *sound]
        assert len(registry.notices) == 5
        hits = registry.search(known(6), 9)
        assert (hits[0].entry.name, sorted(hit.entry.name for hit in hits)) == ("model-6", ["model-4", *sound])
        assert registry.find("model-1") is None
        with pytest.raises(InputError, match="'model-1' is malformed"):
            registry.entry("model-1")
        told = " ".join(f"{name}: {error}" for name, error in registry.damage())
        assert all(name in told for name in ("'model-0'", "'model-1'", "'model-2'", "'model-3'", "model-4: ", "'model-6'"))
        assert "'model-7'" not in told
        registry.add(known(1), Facts(), name="model-1")
        assert [registry.remove(f"model-{number}") for number in (0, 2, 3, 4, 6)] == [1] * 5
        with registry._database.writing() as connection:
            connection.execute("DELETE FROM entry WHERE name = x'ff'")
    with Registry(folder) as registry:
        assert ([entry.name for entry in registry.entries()], registry.notices) == (["model-1", "model-7", "model-8"], ())
        assert list(registry.damage()) == []


def test_what_was_killed_while_it_was_made_can_be_made(tmp_path: Path) -> None:
    folder = tmp_path / "known"
    (folder / "fingerprints").mkdir(parents=True)
    (folder / DATABASE).touch()
    with pytest.raises(NotFoundError, match="no registry yet"):  # or is being made just now
        Registry(folder)
    with Registry(made(folder)) as registry:
        assert registry.count() == 1


def as_nobody(ask: Callable[[], object]) -> str:
    """What a user who may only read gets, in a process of its own: its words, or the error's."""
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        try:
            if os.getuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            said = str(ask())
        except TensorGuardError as error:
            said = type(error).__name__
        except BaseException as error:
            said = f"unexpected {error!r}"
        os.write(theirs, said.encode())
        os._exit(0)
    os.close(theirs)
    os.waitpid(child, 0)
    with os.fdopen(ours) as pipe:
        return pipe.read()


def test_who_may_only_read_can_read_and_is_told_what_cannot_be_written(tmp_path: Path) -> None:
    folder = made(tmp_path / "known")
    tmp_path.chmod(0o755)
    for parent in (each for each in tmp_path.parents if "pytest" in str(each)):  # pytest makes them for us alone
        parent.chmod(0o755)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    model = known(1)

    def read() -> object:
        with Registry(folder) as registry:
            found = registry.entry("model-0")
            return (
                found.name,
                registry.count(),
                len(registry.search(model)),
                registry.fingerprint(found).name,
                list(registry.damage()),
            )

    assert as_nobody(read) == "('model-0', 1, 1, 'model-0', [])"
    assert as_nobody(lambda: Registry(folder).add(model, Facts())) == "ResourceError"
    assert as_nobody(lambda: Registry(folder).build_index(least=0)) == "ResourceError"
    assert as_nobody(lambda: Registry(folder, create=True).count()) == "1"
    assert as_nobody(lambda: Registry(folder / "inside", create=True)) == "ResourceError"
    assert as_nobody(lambda: Registry(folder).remove("model-0")) == "ResourceError"
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    with Registry(folder) as registry:
        assert registry.count() == 1


def test_a_full_disk_is_said_and_nothing_is_half_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(made(tmp_path / "known"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(ResourceError):
            registry.add(known(5), Facts())
    assert registry.find("model-5") is None
    assert registry.sweep() == 0
    with registry._database.writing() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    with registry._database.reading() as connection:
        connection.execute(f"PRAGMA max_page_count={pages}")  # SQLite's own way to a full disk

    def fill() -> None:
        for number in range(10, 60):
            registry.add(known(number), Facts())

    with pytest.raises(ResourceError, match="full"):
        fill()
    registry.close()
    with Registry(tmp_path / "known") as again:
        assert list(again.damage()) == []
        again.sweep()
        assert len(list((tmp_path / "known").rglob("*.tgfp"))) == again.count()
