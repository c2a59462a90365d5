"""Models that change, vanish or cannot be read while they are read, and models that were replaced since they were fingerprinted."""

import errno
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.checkpoints import llama, save
from support.containers import save_sharded
from tensorguard.api.fingerprints import fingerprint_model
from tensorguard.api.many import fingerprint_many
from tensorguard.api.models import open_model
from tensorguard.api.registry import add_models
from tensorguard.api.same_weights import has_same_weights
from tensorguard.errors import InputError, ResourceError
from tensorguard.merge import write as merging
from tensorguard.merge.write import merge
from tensorguard.registry.registry import Registry
from tensorguard.sources.local import LocalFile

Change = Callable[[Path], object]
CHANGED = "was changed while it was read"


def overwrite(path: Path) -> None:
    """Write other values where the last ones were, as a copy over the file does."""
    with path.open("r+b") as file:
        file.seek(-64, os.SEEK_END)
        file.write(bytes(64))
    later(path)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(bytes(8))


def exchange(path: Path) -> None:
    """Put another file in its place."""
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    later(other)
    other.replace(path)


def later(path: Path) -> None:
    """Make sure that a change just made shows, however coarse the file system's clock is."""
    os.utime(path, ns=(time.time_ns(), time.time_ns() + 2_000_000))


def during(monkeypatch: pytest.MonkeyPatch, change: Change, path: Path, *, reads: int) -> None:
    """Change a file when so many reads have been made."""
    whole, made = LocalFile.read_at, [0]

    def read_at(self: LocalFile, offset: int, length: int) -> object:
        made[0] += 1
        if made[0] == reads:
            change(path)
        return whole(self, offset, length)

    monkeypatch.setattr(LocalFile, "read_at", read_at)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(tmp_path / "model", llama())


@pytest.mark.parametrize("change", [overwrite, append])
@pytest.mark.parametrize("reads", [4, 12])
def test_a_model_that_is_written_to_while_it_is_read_is_refused(
    model: Path, monkeypatch: pytest.MonkeyPatch, change: Change, reads: int
) -> None:
    during(monkeypatch, change, model / "model.safetensors", reads=reads)
    with pytest.raises(InputError, match=rf"{CHANGED} in .*model.safetensors") as caught:
        fingerprint_model(model, workers=1)
    assert caught.value.hint == "run it again when nobody writes it"


@pytest.mark.parametrize("change", [exchange, Path.unlink])
def test_a_model_that_is_removed_or_replaced_after_it_was_opened_is_read_as_it_was(
    model: Path, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    expected = fingerprint_model(model, workers=1)
    during(monkeypatch, change, model / "model.safetensors", reads=12)
    assert fingerprint_model(model, workers=1).digests == expected.digests


def test_a_file_that_was_replaced_between_header_and_data_is_refused(model: Path) -> None:
    source = LocalFile(model / "model.safetensors")
    exchange(source.path)
    with pytest.raises(InputError, match=CHANGED):
        source.read_at(0, 8)


def test_a_file_that_gets_shorter_says_where_it_ended(model: Path) -> None:
    source = LocalFile(model / "model.safetensors")
    source.read_at(0, 8)
    os.truncate(source.path, 1000)
    with pytest.raises(InputError, match="ended early, at byte 1000: it became shorter while it was read"):
        source.read_at(0, source.size)


def test_an_error_of_the_disk_names_file_and_byte(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preadv = os.preadv

    def broken(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        if offset + len(buffers[0]) > 5000:
            raise OSError(errno.EIO, "Input/output error")
        return preadv(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", broken)
    with pytest.raises(InputError, match=r"cannot be read at byte \d+ \(Input/output error\) in .*model.safetensors") as caught:
        fingerprint_model(model, workers=1)
    assert "disk" in caught.value.hint


@pytest.mark.parametrize("change", [overwrite, append])
def test_nothing_is_merged_of_shards_that_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change) -> None:
    shards = save_sharded(tmp_path / "model")
    during(monkeypatch, change, shards[0], reads=len(shards) * 34)  # after the samples that tell merges apart
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match=CHANGED):
        merge(tmp_path / "model", tmp_path / "out" / "one.safetensors")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_merge_that_does_not_fit_on_the_disk_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_sharded(tmp_path / "model")
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr(merging.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ResourceError, match=r"the disk is too full: the result takes [\d,]+ bytes, 10 are free"):
        merge(tmp_path / "model", tmp_path / "one.safetensors")
    assert not (tmp_path / "one.safetensors").exists()


def replaced_by_an_older_file(model: Path) -> None:
    """As `cp -p` or `rsync -t` of other weights does, or any change while the clock is behind."""
    tensors = llama()
    tensors["model.layers.1.self_attn.v_proj.weight"] = tensors["model.layers.1.self_attn.v_proj.weight"] * np.float32(1.01)
    save(model, tensors)
    for path in model.iterdir():
        os.utime(path, (1_000_000_000, 1_000_000_000))


def test_a_model_that_was_replaced_by_an_older_one_is_fingerprinted_again(model: Path, tmp_path: Path) -> None:
    def status() -> list[str]:
        return [outcome.status for outcome in fingerprint_many([model], tmp_path / "out", workers=1)]

    assert [status(), status()] == [["done"], ["finished before"]]
    replaced_by_an_older_file(model)
    assert [status(), status()] == [["done"], ["finished before"]]


def test_a_registry_notices_it_too(model: Path, tmp_path: Path) -> None:
    with Registry(tmp_path / "registry", create=True) as registry:
        before = [next(add_models(registry, [model])) for _ in range(2)]
        assert [each.status for each in before] == ["added", "there already"]
        replaced_by_an_older_file(model)
        after = next(add_models(registry, [model]))
    assert after.status == "failed"
    assert "others" in str(after.error)


def test_layers_that_changed_places_are_other_weights(model: Path, tmp_path: Path) -> None:
    found = fingerprint_model(model, workers=1)
    assert has_same_weights(found, open_model(model))
    tensors = llama()
    for name in [name for name in tensors if ".layers.0." in name]:
        other = name.replace(".layers.0.", ".layers.1.")
        tensors[name], tensors[other] = tensors[other], tensors[name]
    assert not has_same_weights(found, open_model(save(tmp_path / "other", tensors)))


def test_a_fingerprint_without_digests_is_taken_by_its_time(model: Path) -> None:
    found = fingerprint_model(model, workers=1)
    replaced_by_an_older_file(model)
    assert has_same_weights(replace(found, digests=()), open_model(model))
