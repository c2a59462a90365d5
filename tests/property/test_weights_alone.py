"""The fingerprint is a function of the weights alone: the same to the last bit, however the same weights are stored and read."""

import json
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from threadpoolctl import threadpool_limits

from support.checkpoints import MAKERS, Arrays, config, llama, save, save_gguf
from tensorguard.api.fingerprints import Settings, fingerprint_model
from tensorguard.api.many import fingerprint_many
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.specification import Specification
from tensorguard.fingerprint.tasks import TILE_ELEMENTS

ARCHITECTURES = list(MAKERS)
_REUSED = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def content(found: Fingerprint) -> tuple[object, ...]:
    """Every number and digest, with the place of each layer; what things are called apart."""
    layers = tuple(
        (
            layer.role,
            layer.category,
            layer.layer,
            layer.shape,
            layer.mean,
            layer.std,
            layer.norm,
            layer.skewness,
            layer.kurtosis,
            layer.gain,
            tuple(sorted(layer.extended.items())),
        )
        for layer in found.layers
    )
    return dict(found.features), dict(found.extended), layers, found.elements_read, found.digests


def of(path: Path) -> tuple[object, ...]:
    return content(fingerprint_model(path, settings=Settings(extended=True)))


@pytest.fixture(scope="module", params=ARCHITECTURES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Arrays, tuple[object, ...]]:
    """An architecture, its tensors, and the fingerprint of the plain file."""
    tensors = MAKERS[request.param](0)
    folder = save(tmp_path_factory.mktemp("plain") / "m", tensors, request.param)
    return request.param, tensors, of(folder)


@_REUSED
@given(order=st.randoms(use_true_random=False), shards=st.integers(1, 4), indexed=st.booleans())
def test_order_and_sharding(tmp_path_factory: pytest.TempPathFactory, model, order: object, shards: int, indexed: bool) -> None:
    architecture, tensors, expected = model
    folder = tmp_path_factory.mktemp("sharded")
    names = list(tensors)
    order.shuffle(names)
    weight_map = {}
    for number in range(shards):
        file = f"part{number}.safetensors" if indexed else f"model-{number + 1:05d}-of-{shards:05d}.safetensors"
        mine = names[number::shards]
        write_in_order(folder / file, {name: tensors[name] for name in mine})
        weight_map |= dict.fromkeys(mine, file)
    if indexed:
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    (folder / "config.json").write_text(json.dumps(config(architecture)))
    assert of(folder) == expected


def write_in_order(path: Path, tensors: Arrays) -> None:
    """A safetensors file with the tensors in this order; the reference writer sorts them."""
    header, data = {}, b""
    for name, array in tensors.items():
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


@pytest.mark.parametrize("prefix", ["", "language_model.", "module.", "base_model.model."])
def test_prefix(tmp_path: Path, model, prefix: str) -> None:
    architecture, tensors, expected = model
    own = {"llama": "model.", "phi3": "model.", "gpt2": "transformer.", "bert": "bert."}[architecture]
    renamed = {prefix + name.removeprefix(own) if prefix == "" else prefix + name: array for name, array in tensors.items()}
    assert of(save(tmp_path / "m", renamed, architecture)) == expected


def test_names_that_say_nothing(tmp_path: Path, model) -> None:
    architecture, tensors, _ = model

    def scrambled(seed: int) -> tuple[object, ...]:
        numbers = np.random.default_rng(seed).permutation(len(tensors))
        renamed = {f"t{number}": array for number, array in zip(numbers, tensors.values(), strict=True)}
        return of(save(tmp_path / str(seed), renamed, architecture))

    assert scrambled(0) == scrambled(1) == scrambled(2)


def test_container(tmp_path: Path, model) -> None:
    architecture, tensors, expected = model
    assert of(save_gguf(tmp_path / "m.gguf", tensors, architecture)) == expected


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64], ids=["F16", "BF16", "F64"])
def test_lossless_casts(tmp_path: Path, model, dtype: type) -> None:
    architecture, tensors, expected = model
    assert all((array.astype(dtype).astype(np.float32) == array).all() for array in tensors.values())
    assert of(save(tmp_path / "m", {name: array.astype(dtype) for name, array in tensors.items()}, architecture)) == expected


def test_metadata_and_configuration_do_not_count(tmp_path: Path, model) -> None:
    architecture, tensors, expected = model
    folder = save(tmp_path / "other-name", tensors, architecture, {"format": "pt", "author": "somebody"})
    changed = {**config(architecture), "model_type": "something", "vocab_size": 7, "hidden_size": 1}
    (folder / "config.json").write_text(json.dumps(changed))
    assert of(folder) == expected


def test_a_tied_head_may_be_stored_or_not(tmp_path: Path) -> None:
    tied = llama(tied=True)
    stored = tied | {"lm_head.weight": tied["model.embed_tokens.weight"].copy()}
    assert of(save(tmp_path / "a", tied)) == of(save(tmp_path / "b", stored))
    half = tied | {"lm_head.weight": stored["lm_head.weight"].astype(ml_dtypes.bfloat16)}
    assert of(save(tmp_path / "d", half)) == of(save(tmp_path / "b", stored)), "tied, whatever dtype the copy has"
    assert of(save(tmp_path / "c", llama())) != of(save(tmp_path / "b", stored))


def test_workers_and_engines(tmp_path: Path, model) -> None:
    architecture, tensors, expected = model
    folders = [save(tmp_path / name, tensors, architecture) for name in "ab"]
    how = Settings(extended=True)
    for workers in (1, 2, 5):
        with threadpool_limits(workers, user_api="blas"):
            assert content(fingerprint_model(folders[0], settings=how, workers=workers)) == expected
    if architecture == "llama":  # worker processes take a second to start
        for workers in (1, 2):
            many = fingerprint_many(folders, tmp_path / f"out{workers}", settings=how, workers=workers, memory=10**10)
            assert [content(outcome.fingerprint) for outcome in many] == [expected] * 2


@_REUSED
@given(data=st.data())
def test_one_changed_weight_changes_it(tmp_path_factory: pytest.TempPathFactory, model, data: st.DataObject) -> None:
    architecture, tensors, _ = model
    everything = Settings(Specification(per_category=None))
    folder = tmp_path_factory.mktemp("changed")
    before = fingerprint_model(save(folder / "m", tensors, architecture), settings=everything)
    names = sorted({layer.name for layer in before.layers})
    name = data.draw(st.sampled_from(names))
    place = data.draw(st.integers(0, tensors[name].size - 1))
    changed = {key: array.copy() for key, array in tensors.items()}
    changed[name].flat[place] += np.float32(0.5)
    after = fingerprint_model(save(folder / "m", changed, architecture), settings=everything)
    assert dict(before.features) != dict(after.features)
    differing = {a.name for a, b in zip(before.layers, after.layers, strict=True) if a != b}
    assert differing == {name}


@_REUSED
@given(data=st.data())
def test_one_changed_number_anywhere_changes_one_digest(
    tmp_path_factory: pytest.TempPathFactory, model, data: st.DataObject
) -> None:
    architecture, tensors, (*_, before) = model
    name = data.draw(st.sampled_from(sorted(tensors)))
    place = data.draw(st.integers(0, tensors[name].size - 1))
    changed = {key: array.copy() for key, array in tensors.items()}
    changed[name].flat[place] = np.nextafter(changed[name].flat[place], np.float32(9))
    after = fingerprint_model(save(tmp_path_factory.mktemp("changed") / "m", changed, architecture)).digests
    assert sum(one.digest != other.digest for one, other in zip(before, after, strict=True)) == 1


def test_matrices_of_several_tiles(tmp_path: Path) -> None:
    tensors = llama(width=768, blocks=1)
    assert tensors["model.layers.0.self_attn.q_proj.weight"].size > TILE_ELEMENTS
    expected = of(save(tmp_path / "m", tensors))
    assert of(save_gguf(tmp_path / "m.gguf", tensors, "llama")) == expected
    assert of(save(tmp_path / "half", {name: array.astype(ml_dtypes.bfloat16) for name, array in tensors.items()})) == expected


@pytest.mark.parametrize("name", ["model.norm.weight", "model.layers.0.input_layernorm.weight"])
def test_what_is_not_analysed_counts_for_the_digests_alone(tmp_path: Path, name: str) -> None:
    tensors = llama()
    *numbers, digests = of(save(tmp_path / "a", tensors))
    tensors[name] = tensors[name] + np.float32(1)
    *same, others = of(save(tmp_path / "b", tensors))
    assert same == numbers
    assert sum(one != other for one, other in zip(digests, others, strict=True)) == 1


def test_the_specification_counts(tmp_path: Path) -> None:
    folder = save(tmp_path / "m", llama())
    default = fingerprint_model(folder)
    other = fingerprint_model(folder, settings=Settings(Specification(per_category=2)))
    assert default.specification != other.specification
    assert default.features != other.features
    save_file(llama(seed=1), folder / "model.safetensors")
    assert fingerprint_model(folder).features != default.features
