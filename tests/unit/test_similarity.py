import itertools

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import zscore
from sklearn.decomposition import PCA

from support.paper import families, published_vectors, vector
from tensorguard.errors import UsageError
from tensorguard.family.similarity import compare
from tensorguard.family.space import fit_space
from tensorguard.fingerprint.base import FEATURES

KEPT = [column for column, key in enumerate(FEATURES) if key not in ("total_params", "num_layers")]


def test_distances_are_euclidean_in_the_standardised_space() -> None:
    vectors = published_vectors()
    found = compare(vectors)
    # num_layers is 10 everywhere; z-scores by scipy.
    scores = zscore(np.array([each.values for each in vectors])[:, KEPT], axis=0)
    np.testing.assert_allclose(found.distances, squareform(pdist(scores)), atol=1e-9)
    plane = PCA(2).fit_transform(scores)
    np.testing.assert_allclose(found.plane_distances, squareform(pdist(plane)), atol=1e-9)
    assert found.method == "standardised"
    assert found.notices == ()


def test_size_counts_only_on_request() -> None:
    vectors = published_vectors()
    assert "total_params" not in compare(vectors).columns
    sized = compare(vectors, include_size=True)
    scores = zscore(np.array([each.values for each in vectors])[:, :15], axis=0)
    np.testing.assert_allclose(sized.distances, squareform(pdist(scores)), atol=1e-9)


def test_neighbours_and_order_put_equal_models_together() -> None:
    vectors = families(["x", "y", "z"], members=3)
    found = compare(vectors)
    assert all(each.name.split("-")[0] == each.nearest.split("-")[0] for each in found.neighbours())
    ordered = [found.names[row].split("-")[0] for row in found.order()]
    assert len({*itertools.pairwise(ordered)} - {("x", "x"), ("y", "y"), ("z", "z")}) == 2


def test_two_models_alone_get_relative_differences() -> None:
    found = compare([vector("a", ffn_mean=3.0), vector("b", ffn_mean=-1.0, ffn_std=0.0)])
    assert found.method == "relative differences"
    by_feature = {each.feature: each.relative for each in found.differences}
    assert by_feature["ffn_mean"] == 2.0
    assert by_feature["ffn_std"] == 2.0
    assert by_feature["global_mean"] == 0.0
    assert found.distances[0][1] == pytest.approx(np.sqrt(8 / 15))
    assert found.plane_distances is None
    assert "two models alone" in found.notices[0]


def test_a_reference_makes_two_models_comparable() -> None:
    vectors = published_vectors()
    space = fit_space(vectors)
    everything = compare(vectors)
    pair = compare([vectors[3], vectors[7]], space)
    assert pair.method == "standardised"
    assert pair.distances[0][1] == pytest.approx(everything.distances[3][7])
    assert pair.notices == ()


def test_a_feature_constant_in_the_reference_is_not_compared_but_noted() -> None:
    space = fit_space(published_vectors())
    assert space.constant == ("num_layers",)
    pair = compare([vector("a", num_layers=10), vector("b", num_layers=14)], space)
    assert pair.distances[0][1] == 0.0
    assert "num_layers is 14 in 'b' and 10 in the reference" in pair.notices[0]


def test_small_populations_are_pointed_out() -> None:
    assert "over these 3 models only" in compare(families(["a"], members=2)).notices[0]


def test_equal_models_have_no_distance() -> None:
    found = compare([vector("a"), vector("b"), vector("c")])
    assert np.array_equal(found.distances, np.zeros((3, 3)))
    assert np.array_equal(found.plane_distances, np.zeros((3, 3)))


def test_misuse_is_refused() -> None:
    with pytest.raises(UsageError, match="1 models cannot be compared"):
        compare([vector("a")])
    with pytest.raises(UsageError, match="cannot be compared"):
        compare([vector("a"), vector("b", "other")])
    with pytest.raises(UsageError, match="computed as 'other'"):
        compare([vector("a", "other"), vector("b", "other")], fit_space(published_vectors()))
    with pytest.raises(UsageError, match="one model alone"):
        fit_space([vector("a")])
