"""Sketches in a `.tgfp`: nothing lost, the same bytes for the same model, and one clear error for everything that is wrong."""

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from support.checkpoints import save as save_model
from support.commands import CommandLine
from support.sweeps import EXPERTS, llama
from tensorguard.api.fingerprints import Settings, fingerprint_model
from tensorguard.api.many import fingerprint_many
from tensorguard.errors import InputError
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.file import read_fingerprint, write_fingerprint
from tensorguard.fingerprint.sketch_file import describe, tensors
from tensorguard.fingerprint.sketches import ARRAYS, Sketches
from tensorguard.probes.rademacher import Key

NAMES = sorted([*ARRAYS, "response_scale"])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("m") / "model", llama())


@pytest.fixture(scope="module")
def made(model: Path) -> Fingerprint:
    return fingerprint_model(model)


@pytest.fixture
def file(tmp_path: Path, made: Fingerprint) -> Path:
    write_fingerprint(tmp_path / "a.tgfp", made)
    return tmp_path / "a.tgfp"


def of(found: Fingerprint) -> Sketches:
    assert found.sketches is not None
    return found.sketches


def test_nothing_is_lost(file: Path, made: Fingerprint) -> None:
    found = of(read_fingerprint(file))
    assert describe(found) == describe(of(made))
    for name in ARRAYS:
        mine, theirs = getattr(found, name), getattr(of(made), name)
        assert mine.dtype == theirs.dtype, name
        assert np.array_equal(mine, theirs), name


def test_reading_and_writing_changes_no_byte(file: Path) -> None:
    write_fingerprint(file.with_name("b.tgfp"), read_fingerprint(file))
    assert file.read_bytes() == file.with_name("b.tgfp").read_bytes()


def test_workers_and_engines_change_no_byte(model: Path, tmp_path: Path) -> None:
    other = save_model(tmp_path / "other", llama(experts=EXPERTS))
    written = []
    for models, workers in (([model], 1), ([model], 3), ([model, other], 1), ([model, other], 2)):
        folder = tmp_path / f"{len(models)}-{workers}"
        assert all(outcome.error is None for outcome in fingerprint_many(models, folder, workers=workers, memory=2**34))
        written.append((folder / "model.tgfp").read_bytes())
    assert len(set(written)) == 1


def test_a_fingerprint_without_sketches(file: Path, made: Fingerprint) -> None:
    write_fingerprint(file, replace(made, sketches=None))
    assert read_fingerprint(file).sketches is None
    assert list(load(file.read_bytes())) == ["layers.statistics"]


def test_a_model_of_one_tensor(tmp_path: Path, made: Fingerprint) -> None:
    folder = save_model(tmp_path / "one", {"whatever": np.ones((3, 4), np.float32)})
    found = fingerprint_model(folder, settings=Settings(skip_nonfinite=True))
    write_fingerprint(tmp_path / "one.tgfp", found)
    assert describe(of(read_fingerprint(tmp_path / "one.tgfp"))) == describe(of(found))


def test_every_tensor_is_named_in_one_place(made: Fingerprint) -> None:
    assert sorted(tensors(of(made))) == [f"lineage.{name}" for name in NAMES]


Document, Arrays = dict[str, Any], dict[str, np.ndarray]


def remade(file: Path, change: Callable[[Document, Arrays], None]) -> Path:
    raw = file.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    document = json.loads(json.loads(raw[8 : 8 + length])["__metadata__"]["tensorguard"])
    arrays = {name.removeprefix("lineage."): array.copy() for name, array in load(raw).items()}
    change(document["sketches"], arrays)
    named = {name if name.startswith("layers") else f"lineage.{name}": array for name, array in arrays.items()}
    file.write_bytes(save(named, {"tensorguard": json.dumps(document)}))
    return file


def require_refused(file: Path, change: Callable[[Document, Arrays], None], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read_fingerprint(remade(file, change))
    assert caught.value.where == str(file)
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("name", NAMES)
def test_an_array_that_is_missing_or_of_another_form(file: Path, name: str) -> None:
    whole = file.read_bytes()
    changes: list[Callable[[Document, Arrays], Any]] = [
        lambda _, arrays: arrays.pop(name),
        lambda _, arrays: arrays.update({name: arrays[name].astype(np.float64)}),
        lambda _, arrays: arrays.update({name: arrays[name].astype(np.uint8)}),
        lambda _, arrays: arrays.update({name: arrays[name][:-1].copy()}),
        lambda _, arrays: arrays.update({name: arrays[name][None].copy()}),
        lambda _, arrays: arrays.update({name: np.zeros((0,), arrays[name].dtype)}),
    ]
    for change in changes:
        file.write_bytes(whole)
        require_refused(file, change, rf"its tensor 'lineage.{name}' is missing, or of another type or shape")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("fixed", "sample") and "unit" not in name])
def test_an_array_that_is_not_finite(file: Path, name: str, value: float) -> None:
    def change(_: Document, arrays: Arrays) -> None:
        arrays[name].flat[-1] = value

    require_refused(file, change, rf"its tensor 'lineage.{name}' holds values that are not finite, or out of range")


OUT_OF_RANGE = {
    "words": 1.5, "ids": -2, "response": 60000, "response_scale": -1, "traces": -1, "word_rows": 1e30, "id_rows": -2,
    "word_gram": 1.5, "id_gram": 9, "head_word_rows": -3, "head_id_rows": 2, "head_word_gram": 2, "head_id_gram": -2,
    "unit_index": -2, "unit_count": -1,
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), OUT_OF_RANGE.items(), ids=OUT_OF_RANGE)
def test_an_array_out_of_range(file: Path, name: str, value: float) -> None:
    def change(_: Document, arrays: Arrays) -> None:
        arrays[name].flat[-1] = value

    require_refused(file, change, rf"its tensor 'lineage.{name}' holds values that are not finite, or out of range")


def test_neurons_named_twice(file: Path) -> None:
    def change(_: Document, arrays: Arrays) -> None:
        arrays["unit_index"][0, :2] = 3

    require_refused(file, change, "name a neuron twice")


def assign(**values: Any) -> Callable[[Document, Arrays], None]:
    return lambda sketches, _: sketches.update(values)


def place(**values: Any) -> Callable[[Document, Arrays], None]:
    return lambda sketches, _: sketches["places"][0].update(values)


DESCRIPTIONS: dict[str, tuple[Callable[[Document, Arrays], Any], str]] = {
    "another method": (assign(method="tensorguard-lineage-99"), "made by 'tensorguard-lineage-99'"),
    "a method in colours": (assign(method="\x1b[31m\u202e"), "made by"),
    "a method that is a number": (assign(method=1), "malformed"),
    "a key of text": (assign(key="mine"), "absurd"),
    "a key in colours": (assign(key="\x1b[31m"), "absurd"),
    "no width": (lambda sketches, _: sketches.pop("width"), "malformed"),
    "a negative width": (assign(width=-1), "absurd"),
    "a width with a fraction": (assign(width=1.5), "malformed"),
    "something more": (assign(more=1), "malformed"),
    "blocks no list": (assign(blocks={}), "malformed"),
    "a block of three": (assign(blocks=[["decoder", 0, 1]]), "malformed"),
    "a negative block": (assign(blocks=[["decoder", -1], ["decoder", 1]]), "absurd"),
    "a block too few": (assign(blocks=[["decoder", 0]]), "another type or shape"),
    "no blocks": (assign(blocks=[]), "another type or shape"),
    "a place too many": (lambda sketches, _: sketches["places"].append(sketches["places"][0]), "another type or shape"),
    "a place no object": (assign(places=[1]), "malformed"),
    "a place without its role": (lambda sketches, _: sketches["places"][0].pop("role"), "malformed"),
    "negative rows": (place(rows=-1), "absurd"),
    "columns of text": (place(columns="64"), "malformed"),
    "negative parts": (place(parts=-1), "absurd"),
    "a negative layer": (place(layer=-1), "absurd"),
    "a role that is a number": (place(role=1), "malformed"),
    "a stack that is null": (place(stack=None), "malformed"),
    "a sample too few": (lambda sketches, _: sketches["sampled"].pop(), "another type or shape"),
    "a sample of nothing": (assign(sampled=[0, 1, 2, 3, 4, 1000]), "does not list"),
    "a sample before the first": (assign(sampled=[-1, 1, 2, 3, 4, 5]), "does not list"),
}


@pytest.mark.parametrize(("change", "said"), DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_a_hostile_description(file: Path, change: Callable[..., Any], said: str) -> None:
    require_refused(file, change, said)


def test_more_blocks_than_any_model_has(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tensorguard.fingerprint.sketch_file._MOST", 1)
    require_refused(file, assign(), "absurd")


@pytest.mark.parametrize("value", [7, "text", [], [1], True, {}])
def test_a_description_that_is_none(file: Path, value: object) -> None:
    raw = file.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    document = json.loads(json.loads(raw[8 : 8 + length])["__metadata__"]["tensorguard"]) | {"sketches": value}
    file.write_bytes(save(load(raw), {"tensorguard": json.dumps(document)}))
    with pytest.raises(InputError, match="malformed"):
        read_fingerprint(file)


def test_a_command_says_it_in_one_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    remade(file, lambda _, arrays: arrays.update(words=np.full_like(arrays["words"], np.nan)))
    answer = CommandLine(capsys)("cluster", file, "--json")
    assert answer.code == 3
    assert "not finite, or out of range" in answer.out + answer.err
    assert "Traceback" not in answer.err


def test_a_fingerprint_made_with_another_key_is_made_again(model: Path, tmp_path: Path) -> None:
    def status(key: Key) -> str:
        (outcome,) = fingerprint_many([model], tmp_path, settings=Settings(key=key))
        return outcome.status

    secret = Key(b"sixteen secret bytes")
    assert [status(Key()), status(Key()), status(secret), status(secret), status(Key())] == [
        "done", "finished before", "done", "finished before", "done",
    ]  # fmt: skip
    assert of(read_fingerprint(tmp_path / "model.tgfp")).key == "public"
    assert b"secret" not in (tmp_path / "model.tgfp").read_bytes()
