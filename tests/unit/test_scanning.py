"""A scan of a real registry folder: what the search alone would crowd out."""

import sqlite3
from pathlib import Path

import pytest

from support import kin, prints
from tensorguard.api.scanning import scan
from tensorguard.errors import InputError
from tensorguard.fingerprint.file import write_fingerprint
from tensorguard.registry.entry import Facts
from tensorguard.registry.registry import Registry


def test_a_merge_of_two_families_keeps_both_parents_however_many_relatives_one_has(tmp_path: Path) -> None:
    first, second = kin.model(7), kin.model(8)
    merged = {name: 0.6 * first[name] + 0.4 * second[name] for name in first}
    known = {f"relative {at}": kin.moved(first, f"relative {at}", 0.02) for at in range(7)} | {"first": first, "second": second}
    with Registry(tmp_path / "known", create=True) as registry:
        for name, model in known.items():
            registry.add(prints.printed(tmp_path / name, model), Facts(), name=name)
    suspect = tmp_path / "suspect.tgfp"
    write_fingerprint(suspect, prints.printed(tmp_path / "merged", merged))
    found = scan(suspect, tmp_path / "known", compared=3).scan
    assert found.parents is not None
    assert found.parents.method == "linear"
    assert {each.name: each.weight for each in found.parents.parents} == {
        "first": pytest.approx(0.6, abs=0.05),
        "second": pytest.approx(0.4, abs=0.05),
    }


def test_an_entry_whose_file_is_another_models_is_left_out(tmp_path: Path) -> None:
    with Registry(tmp_path / "known", create=True) as registry:
        for name, seed in (("base", 7), ("other", 8)):
            registry.add(prints.printed(tmp_path / name, kin.model(seed)), Facts(), name=name)
        ours, theirs = registry.path(registry.entry("base")), registry.path(registry.entry("other"))
        assert ours != theirs
        forged = registry.entry("base")
    with sqlite3.connect(next((tmp_path / "known").glob("*.sqlite"))) as database:
        database.execute(
            "UPDATE entry SET fingerprint = (SELECT fingerprint FROM entry WHERE name = 'other') WHERE name = 'base'"
        )
    with Registry(tmp_path / "known") as registry, pytest.raises(InputError, match="of other weights than its entry says"):
        registry.fingerprint(registry.entry("base"))
    assert forged.source_digest
