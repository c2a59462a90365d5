"""The registries that every release wrote: opened, searched, verified, brought up to date, and their archives taken in."""

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from compat.commands import told
from golden.models import KEY
from golden.releases import RELEASES, named
from tensorguard.api.scanning import scan
from tensorguard.probes.rademacher import Key
from tensorguard.registry.registry import DATABASE, Registry

ENTRIES = {("golden/llama", "public"), ("golden/llama", Key(KEY).identity()), ("golden/mamba", "public")}


@pytest.fixture(params=RELEASES, ids=named)
def known(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a release's registry."""
    return shutil.copytree(request.param / "registry", tmp_path / "registry")


def test_its_entries_and_their_facts(known: Path) -> None:
    with Registry(known) as registry:
        entries = list(registry.entries())
        assert {(entry.name, entry.key) for entry in entries} == ENTRIES
        assert all(entry.verified for entry in entries)
        entry = registry.entry("golden/llama")
        assert (entry.facts.licence, entry.facts.family, entry.facts.publisher) == ("apache-2.0", "golden", "golden")
        assert registry.fingerprint(entry).sketches is not None


def test_columns_and_tables_were_only_added(known: Path, tmp_path: Path) -> None:
    Registry(tmp_path / "today", create=True).close()
    assert {"entry", "vector", "digest"} <= columns(known).keys() <= columns(tmp_path / "today").keys()
    for table, names in columns(known).items():
        assert names <= columns(tmp_path / "today")[table], table


def columns(folder: Path) -> dict[str, set[tuple[str, str]]]:
    """The columns of each table, and their types."""
    with contextlib.closing(sqlite3.connect(folder / DATABASE)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {table: {(row[1], row[2]) for row in database.execute(f"PRAGMA table_info({table})")} for table in tables}


def test_a_scan_says_what_it_said(known: Path, models: Path) -> None:
    found = scan(models / "llama-tuned", known, key=Key(KEY)).scan
    assert found.verdict == "derived"
    assert found.best is not None
    assert (found.best.entry.name, found.best.confirmed) == ("golden/llama", True)
    assert scan(models / "llama-other", known).scan.verdict == "independent"


def test_every_entry_is_sound_and_what_the_weights_give_today(known: Path, models: Path) -> None:
    (models / "golden").mkdir(exist_ok=True)
    assert {entry["status"] for entry in told("registry", "verify", "--registry", known)["entries"]} == {"sound"}
    for name in ("llama", "mamba"):
        key = ("--key-file", models.parent / "key") if name == "llama" else ()
        found = told("registry", "verify", f"golden/{name}", "--model", models / name, *key, "--registry", known)
        assert {entry["status"] for entry in found["entries"]} == {"confirmed"}


def test_it_grows_by_a_model_of_today_and_is_indexed(known: Path, models: Path) -> None:
    told("registry", "add", models / "bert", "--repository", "golden/bert", "--registry", known)
    told("registry", "index", "--registry", known)
    with Registry(known) as registry:
        assert {entry.name for entry in registry.entries()} == {"golden/llama", "golden/mamba", "golden/bert"}
        assert [entry.name for entry in registry.page(["mamb"])] == ["golden/mamba"]


@pytest.mark.parametrize("release", RELEASES, ids=named)
def test_its_archive_is_taken_in(release: Path, tmp_path: Path, models: Path) -> None:
    told("registry", "import", release / "registry.tar", "--registry", tmp_path / "theirs")
    with Registry(tmp_path / "theirs") as registry:
        (entry,) = registry.entries()
        assert (entry.name, entry.verified, entry.facts.licence) == ("golden/mamba", False, "mit")
    verified = told("registry", "verify", "golden/mamba", "--model", models / "mamba", "--registry", tmp_path / "theirs")
    assert [each["status"] for each in verified["entries"]] == ["confirmed"]
    told("registry", "export", tmp_path / "again.tar", "--registry", tmp_path / "theirs")
    difference = told("registry", "diff", release / "registry.tar", tmp_path / "again.tar")
    assert difference
