import json
import os
from pathlib import Path

import pytest

from support.paper import paper_data, published_vectors, vector
from tensorguard.errors import InputError, NotFoundError, UsageError
from tensorguard.fingerprint.base import FEATURES
from tensorguard.fingerprint.features import (
    FeatureVector,
    by_name,
    features_files,
    load_features,
    require_one_specification,
    write_features,
)

GOOD = {**dict.fromkeys(FEATURES, 1.5), "total_params": 10, "num_layers": 2, "model_name": "anything"}


def written(folder: Path, content: object, name: str = "model_features.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_published_files_load_in_the_order_of_the_figure() -> None:
    vectors = {each.name: each for each in published_vectors()}
    assert len(vectors) == 58
    base = vectors["llama-3.2-1b"]
    assert base.specification is None
    # The paper's figure 2.
    assert base.value("global_mean") == 7.700637120630441e-06
    assert base.values[2] == 53.0791153717041
    assert base.values[-2:] == (1235814400, 10)


def test_the_stem_is_the_identity_and_model_name_is_not(tmp_path: Path) -> None:
    assert load_features(written(tmp_path, GOOD, "a.b_features.json")).name == "a.b"
    assert load_features(written(tmp_path, GOOD, "plain.json")).name == "plain"


def test_written_features_are_the_published_form(tmp_path: Path) -> None:
    original = paper_data() / "features" / "phi-4_features.json"
    write_features(tmp_path / "phi-4_features.json", load_features(original))
    copy = (tmp_path / "phi-4_features.json").read_text()
    assert json.loads(copy) == json.loads(original.read_text())
    assert list(json.loads(copy)) == [*FEATURES, "model_name"]
    assert isinstance(json.loads(copy)["num_layers"], int)


def test_a_specification_is_carried(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    assert load_features(tmp_path / "model_features.json", "spec-1").specification == "spec-1"
    assert load_features(tmp_path / "model_features.json").specification is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"global_mean": None}, "global_mean is not a number"),
        ({"global_mean": "1"}, "global_mean is not a number"),
        ({"global_mean": True}, "global_mean is not a number"),
        ({"global_mean": [1]}, "global_mean is not a number"),
        ({"global_mean": 1e61}, "global_mean is absurdly large"),
        ({"ffn_std": -0.1}, "ffn_std is negative"),
        ({"num_layers": 1.5}, "num_layers is not a count"),
        ({"total_params": -1}, "total_params is not a count"),
        ({"model_name": 3}, "model_name that is not a name"),
        ({"model_name": "x" * 5000}, "model_name that is not a name"),
        ({"extra\x1b[31m": 1}, r"unknown key 'extra\x1b[31m'"),
    ],
)
def test_malformed_values_are_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_features(written(tmp_path, {**GOOD, **change}))
    assert message in caught.value.message
    assert caught.value.where.endswith("model_features.json")


@pytest.mark.parametrize("key", [*FEATURES, "model_name"])
def test_every_key_is_needed(tmp_path: Path, key: str) -> None:
    with pytest.raises(InputError, match=f"'{key}' is missing"):
        load_features(written(tmp_path, {name: value for name, value in GOOD.items() if name != key}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "3",
        "{",
        "{" * 100_000,
        '{"global_mean": NaN}',
        json.dumps(GOOD).replace("1.5", "1e999", 1),
        json.dumps(GOOD).replace("1.5", "1" * 5000, 1),
        json.dumps(GOOD)[:-1] + ', "global_mean": 2}',
    ],
)
def test_text_that_is_not_such_json_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError):
        load_features(written(tmp_path, text))


def test_the_files_of_a_folder_are_sorted_by_name(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        features_files(tmp_path / "none")
    with pytest.raises(InputError, match=r"no \*_features\.json"):
        features_files(tmp_path)
    written(tmp_path, GOOD, "b_features.json")
    written(tmp_path, GOOD, "a_features.json")
    written(tmp_path, "no features file", "notes.json")
    written(tmp_path, GOOD, "a.b_features.json")
    (tmp_path / "below").mkdir()
    written(tmp_path / "below", GOOD)
    assert [file.name for file in features_files(tmp_path)] == ["a_features.json", "a.b_features.json", "b_features.json"]


def test_a_file_name_that_is_not_text_becomes_text(tmp_path: Path) -> None:
    written(tmp_path, GOOD, os.fsdecode(b"\xff_features.json"))
    assert load_features(features_files(tmp_path)[0]).name == r"\udcff"


def test_nothing_else_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is called NAME_features\.json"):
        write_features(tmp_path / "model.json", vector("model"))
    with pytest.raises(UsageError, match="not all finite"):
        write_features(tmp_path / "m_features.json", vector("m", ffn_mean=float("nan")))
    assert list(tmp_path.iterdir()) == []


def test_a_vector_has_sixteen_numbers() -> None:
    with pytest.raises(ValueError, match="16"):
        FeatureVector("short", (1.0,) * 15)


def test_specifications_are_never_mixed() -> None:
    assert require_one_specification([vector("a", "x"), vector("b", "x")]) == "x"
    assert require_one_specification([vector("a"), vector("b")]) is None
    with pytest.raises(UsageError, match=r"'a' and 'c'.*'x' and as 'not stated'"):
        require_one_specification([vector("a", "x"), vector("b", "x"), vector("c")])
    with pytest.raises(UsageError, match="no features"):
        require_one_specification([])


def test_two_models_of_one_name_are_refused() -> None:
    assert [each.name for each in by_name([vector("b"), vector("a")])] == ["a", "b"]
    with pytest.raises(UsageError, match="two models are called 'a'"):
        by_name([vector("a"), vector("b"), vector("a")])


def test_a_file_over_the_limit_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tensorguard.fingerprint.features.MAX_CONFIG_BYTES", 100)
    with pytest.raises(InputError, match="more than the 100 allowed"):
        load_features(written(tmp_path, GOOD))
