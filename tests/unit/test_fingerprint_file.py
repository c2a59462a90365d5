"""`.tgfp`: nothing lost, the same bytes twice, and one clear error for every file that is not one."""

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from safetensors.numpy import load, save
from safetensors.numpy import save_file as save_plain

from support.checkpoints import llama
from support.checkpoints import save as save_model
from tensorguard.api.fingerprints import Settings, fingerprint_model
from tensorguard.errors import InputError, NotFoundError
from tensorguard.fingerprint.base import FEATURES, Fingerprint
from tensorguard.fingerprint.features import load_features, vector, write_features
from tensorguard.fingerprint.file import read_fingerprint, write_fingerprint


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Fingerprint:
    found = fingerprint_model(save_model(tmp_path_factory.mktemp("m") / "model", llama()), settings=Settings(extended=True))
    return replace(found, notices=("a \x1b[31mnotice\u202e",), skipped=(("a name", "a reason"),))


@pytest.fixture
def file(tmp_path: Path, made: Fingerprint) -> Path:
    write_fingerprint(tmp_path / "a.tgfp", made)
    return tmp_path / "a.tgfp"


def test_nothing_is_lost(file: Path, made: Fingerprint) -> None:
    found = read_fingerprint(file)
    assert found == made
    assert list(found.features) == list(FEATURES)
    assert [type(value) for value in found.features.values()] == [type(value) for value in made.features.values()]


def test_the_same_bytes_twice(file: Path, made: Fingerprint) -> None:
    write_fingerprint(file.with_name("b.tgfp"), read_fingerprint(file))
    assert file.read_bytes() == file.with_name("b.tgfp").read_bytes()


def test_the_features_file_holds_the_same_16_numbers(file: Path, made: Fingerprint) -> None:
    path = file.with_name("a_features.json")
    write_features(path, vector(made))
    assert load_features(path).values == tuple(made.features[key] for key in FEATURES)
    assert list(json.loads(path.read_bytes())) == [*FEATURES, "model_name"]


def remade(file: Path, change: Callable[[dict[str, Any], np.ndarray], Any]) -> Path:
    """The file again, with its document and numbers changed in place (or the document replaced by what is returned)."""
    raw = file.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    document = json.loads(json.loads(raw[8 : 8 + length])["__metadata__"]["tensorguard"])
    arrays = {name: array.copy() for name, array in load(raw).items()}
    changed = change(document, arrays["layers.statistics"])
    text = json.dumps(document if changed is None else changed)
    file.write_bytes(save(arrays, {"tensorguard": text}))
    return file


def assign(**values: Any) -> Callable[[dict[str, Any], np.ndarray], None]:
    return lambda document, _: document.update(values)


def number(value: float) -> Callable[[dict[str, Any], np.ndarray], None]:
    def change(_: dict[str, Any], values: np.ndarray) -> None:
        values[2, 3] = value

    return change


def feature(key: str, value: object) -> Callable[[dict[str, Any], np.ndarray], None]:
    return lambda document, _: document["features"].update({key: value})


def digest(**values: Any) -> Callable[[dict[str, Any], np.ndarray], None]:
    return lambda document, _: document["digests"][0].update(values)


HOSTILE: dict[str, tuple[Callable[[dict[str, Any], np.ndarray], Any], str]] = {
    "a newer schema": (assign(schema="tensorguard/tgfp/2"), "schema"),
    "no schema": (assign(schema=None), "schema"),
    "a schema in colours": (assign(schema="\x1b[31m"), r"\\x1b"),
    "NaN": (number(np.nan), "not finite"),
    "infinite": (number(np.inf), "not finite"),
    "absurdly large": (number(1e200), "not finite"),
    "a layer too many": (lambda d, _: d["layers"].append(d["layers"][0]), "does not match"),
    "a layer too few": (lambda d, _: d["layers"].pop() and None, "does not match"),
    "layers no list": (assign(layers={}), "list of layers"),
    "a layer no object": (assign(layers=[1]), "list of layers"),
    "a layer without its name": (lambda d, _: d["layers"][0].pop("name") and None, "name"),
    "a shape of three": (lambda d, _: d["layers"][0].update(shape=[1, 2, 3]), "shape"),
    "a feature too few": (lambda d, _: d["features"].pop("ffn_std") and None, "16"),
    "a feature too many": (feature("more", 1.0), "16"),
    "a feature of text": (feature("ffn_std", "1"), "features"),
    "a feature of 1e300": (feature("ffn_std", 1e300), "absurdly large"),
    "a negative norm": (feature("ffn_norm", -1.0), "negative"),
    "a count with a fraction": (feature("total_params", 1.5), "count"),
    "a negative count": (feature("num_layers", -1), "count"),
    "a document that is a list": (lambda *_: [], "not a TensorGuard fingerprint"),
    "a document that is a number": (lambda *_: 7, "not a TensorGuard fingerprint"),
    "a name that is no text": (assign(name=7), "name"),
    "digests no list": (assign(digests={}), "digests"),
    "a digest no object": (assign(digests=["0" * 32]), "digests"),
    "a digest without its role": (lambda d, _: d["digests"][0].pop("role") and None, "role"),
    "a digest of a number": (digest(digest=7), "digest"),
    "a digest not hexadecimal": (digest(digest="g" * 32), "digest"),
    "a digest of control characters": (digest(digest="\x1b[31m" + "0" * 27), "digest"),
    "a digest in capitals": (digest(digest="AB" * 16), "digest"),
    "a digest too short": (digest(digest="ab"), "digest"),
    "a digest too long": (digest(digest="ab" * 17), "digest"),
    "elements of text": (digest(elements="7"), "elements"),
    "elements with a fraction": (digest(elements=1.5), "elements"),
    "negative elements": (digest(elements=-1), "digest"),
    "a negative count of NaN": (digest(nan=-1), "digest"),
    "a negative count of infinities": (digest(infinite=-1), "digest"),
    "a constant that is a number": (digest(constant=1), "constant"),
    "a layer that is text": (digest(layer="0"), "layer"),
    "an expert that is a list": (digest(expert=[0]), "expert"),
    "a stack that is a number": (digest(stack=0), "stack"),
}


@pytest.mark.parametrize(("change", "said"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_document_is_one_input_error(file: Path, change: Callable[..., Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read_fingerprint(remade(file, change))
    assert caught.value.where == str(file)
    assert caught.value.message.isprintable()


def test_digests_come_back(file: Path, made: Fingerprint) -> None:
    found = read_fingerprint(file).digests
    assert found == made.digests
    assert len(found) == len(llama())
    assert sum(each.elements for each in found) == sum(array.size for array in llama().values())
    write_fingerprint(file, replace(made, digests=()))
    assert read_fingerprint(file).digests == ()


def test_unknown_keys_are_ignored(file: Path, made: Fingerprint) -> None:
    assert read_fingerprint(remade(file, assign(later="more"))) == made


def test_every_cut_is_an_input_error(file: Path) -> None:
    raw = file.read_bytes()
    header = 8 + int.from_bytes(raw[:8], "little")
    for length in (*range(0, header, 97), *range(header, len(raw), 997), len(raw) - 1):
        file.write_bytes(raw[:length])
        with pytest.raises(InputError):
            read_fingerprint(file)


def test_other_safetensors_files_are_no_fingerprints(tmp_path: Path) -> None:
    path = tmp_path / "x.tgfp"
    save_plain({"w": np.zeros((2, 2), np.float32)}, path)
    with pytest.raises(InputError, match="not a TensorGuard fingerprint"):
        read_fingerprint(path)
    for text in ("{", "[" * 10_000, "\ud800".encode("utf-8", "surrogatepass").decode("latin1"), '{"schema": 1e999}'):
        save_plain({"w": np.zeros((2, 2), np.float32)}, path, {"tensorguard": text})
        with pytest.raises(InputError):
            read_fingerprint(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_fingerprint(tmp_path / "none.tgfp")


def test_the_document_is_plain_json(file: Path) -> None:
    raw = file.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    document = msgspec.json.decode(msgspec.json.decode(raw[8 : 8 + length])["__metadata__"]["tensorguard"])
    assert document["schema"] == "tensorguard/tgfp/1"
    assert document["tool"]["name"] == "tensorguard"
