import contextlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.paper import families
from tensorguard.errors import InputError, TensorGuardError, UsageError
from tensorguard.family.classify import classify
from tensorguard.family.clustering import cluster, load_clustering, save_clustering
from tensorguard.family.labels import load_labels
from tensorguard.family.similarity import compare
from tensorguard.family.space import fit_space
from tensorguard.fingerprint.base import FEATURES
from tensorguard.fingerprint.features import LARGEST, FeatureVector, load_features, write_features

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NUMBERS = st.floats(-LARGEST, LARGEST)
SIZES = st.floats(0, LARGEST)
COUNTS = st.integers(0, 2**52).map(float)


def value_of(key: str) -> st.SearchStrategy[float]:
    if key in ("total_params", "num_layers"):
        return COUNTS
    return SIZES if key.endswith(("_std", "_norm")) else NUMBERS


VALUES = st.tuples(*map(value_of, FEATURES))
POPULATIONS = st.lists(VALUES, min_size=3, max_size=7).map(
    lambda rows: [FeatureVector(f"m{number}", row) for number, row in enumerate(rows)]
)
QUIET = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@QUIET
@given(VALUES)
def test_features_survive_writing_and_reading(tmp_path: Path, values: tuple[float, ...]) -> None:
    path = tmp_path / "m_features.json"
    write_features(path, FeatureVector("m", values))
    assert load_features(path).values == values


@QUIET
@given(st.dictionaries(st.sampled_from([*FEATURES, "model_name", "other"]), JSON))
def test_any_json_is_read_or_refused_in_one_way(tmp_path: Path, content: dict[str, object]) -> None:
    path = tmp_path / "m_features.json"
    path.write_text(json.dumps({**dict.fromkeys([*FEATURES, "model_name"], 1), "model_name": "m", **content}))
    with contextlib.suppress(TensorGuardError):
        assert all(math.isfinite(value) for value in load_features(path).values)


@QUIET
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused_in_one_way(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    for load in (load_features, load_labels, load_clustering):
        blamed = str(path)
        try:
            load(path)  # type: ignore[operator]
        except InputError as error:
            blamed = error.where
        assert blamed == str(path)


@QUIET
@given(POPULATIONS, st.randoms(use_true_random=False))
def test_whatever_the_numbers_results_are_finite_and_free_of_order(vectors: list[FeatureVector], random: object) -> None:
    shuffled = list(vectors)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = compare(shuffled)
    assert found == compare(vectors)
    assert np.isfinite(found.distances).all()
    assert np.allclose(found.distances, np.transpose(found.distances))
    assert sorted(found.order()) == list(range(len(vectors)))
    if len({tuple(row) for row in fit_space(vectors).standardise(vectors)[:2].tolist()}) == 1:
        with pytest.raises(UsageError, match="equal features"):
            cluster(shuffled, ["m0", "m1"])
        return
    clustered = cluster(shuffled, ["m0", "m1"])
    assert clustered == cluster(vectors, ["m0", "m1"])
    assert all(math.isfinite(member.distance) for member in clustered.members)


@QUIET
@given(POPULATIONS, VALUES)
def test_saved_clusterings_classify_as_fresh_ones(
    tmp_path: Path, vectors: list[FeatureVector], values: tuple[float, ...]
) -> None:
    try:
        fresh = cluster(vectors, ["m0", "m1"])
    except TensorGuardError:
        return
    save_clustering(tmp_path / "c.json", fresh)
    stranger = FeatureVector("stranger", values)
    found = classify(stranger, load_clustering(tmp_path / "c.json"))
    assert found == classify(stranger, fresh)
    assert math.isfinite(found.distance)
    assert found.margin is None or 0 <= found.margin <= 1


@QUIET
@given(st.lists(st.floats(0.1, 10), min_size=16, max_size=16), st.lists(st.floats(-5, 5), min_size=16, max_size=16))
def test_units_and_origins_of_features_do_not_matter(scale: list[float], shift: list[float]) -> None:
    vectors = families(["x", "y", "z"], members=3)
    moved = [
        FeatureVector(each.name, tuple(a * value + b for a, value, b in zip(scale, each.values, shift, strict=True)))
        for each in vectors
    ]
    np.testing.assert_allclose(compare(moved).distances, compare(vectors).distances, atol=1e-6)
    first, second = cluster(vectors, ["x", "y", "z"]), cluster(moved, ["x", "y", "z"])
    assert [each.family for each in first.members] == [each.family for each in second.members]
    assert first.inertia == pytest.approx(second.inertia, rel=1e-6)
