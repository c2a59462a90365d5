"""Registries that every release left in object storage: what they say is read, searched and added to; see docs/compatibility.md.

Beside `compat`, since object storage is an extra.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from golden.models import save
from golden.releases import RELEASES, named
from support.shared import in_folder, opened
from tensorguard.api.fingerprints import fingerprint_model
from tensorguard.fingerprint.file import read_fingerprint
from tensorguard.registry.entry import Facts
from tensorguard.registry.shared import SharedRegistry

NAMES = {"golden/llama", "golden/mamba"}


@pytest.fixture(params=RELEASES, ids=named)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a release's objects."""
    return shutil.copytree(request.param / "shared", tmp_path / "storage")


@pytest.fixture
def registry(storage: Path, tmp_path: Path) -> Iterator[SharedRegistry]:
    with closing(opened(in_folder(storage), tmp_path / "mirror", create=False)) as registry:
        yield registry


def names(registry: SharedRegistry) -> set[str]:
    return {entry.name for entry in registry.entries()}


def test_its_entries_are_whole_and_what_was_removed_is_gone(registry: SharedRegistry) -> None:
    assert names(registry) == NAMES
    assert list(registry.damage()) == []
    entry = registry.entry("golden/llama")
    assert (entry.facts.licence, entry.facts.family) == ("mit", "golden")
    assert registry.fingerprint(entry).digests != ()


def test_a_model_of_today_is_found_in_it(registry: SharedRegistry, tmp_path: Path) -> None:
    tuned = fingerprint_model(save(tmp_path, "llama-tuned"), workers=1)
    assert registry.search(tuned, 2)[0].entry.name == "golden/llama"


def test_it_is_added_to_and_put_together(registry: SharedRegistry, storage: Path, tmp_path: Path) -> None:
    gpt2 = next(release for release in RELEASES) / "fingerprints" / "gpt2.tgfp"
    registry.add(read_fingerprint(gpt2), Facts(), name="golden/gpt2")
    registry.compact()
    with closing(opened(in_folder(storage), tmp_path / "another", create=False)) as other:
        assert names(other) == NAMES | {"golden/gpt2"}
        assert list(other.damage()) == []
