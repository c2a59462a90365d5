import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import zscore

from support.paper import families, published_labels, published_vectors
from tensorguard.family.clustering import cluster
from tensorguard.family.strategies import centroid_kmeans
from tensorguard.family.thresholds import best_threshold, member_distances, rate, stranger_distances


def test_seven_rejects_almost_nothing_on_the_published_data() -> None:
    found = cluster(published_vectors(), labels=published_labels())
    seven = found.paper_threshold
    assert seven.value == 7.0
    assert (seven.members_rejected, seven.members) == (0, 58)
    assert (seven.strangers - seven.strangers_accepted, seven.strangers) == (9, 58)
    other = found.leave_one_family_out
    assert other is not None
    assert 1.5 < other.value < 2.0
    assert other.false_acceptance_rate < 0.05
    assert 0.2 < other.false_rejection_rate < 0.35
    assert other.false_rejection_rate + other.false_acceptance_rate < seven.false_acceptance_rate


def test_without_labels_clustered_families_are_left_out() -> None:
    found = cluster(published_vectors(), published_labels().bases)
    assert found.paper_threshold.strangers == 58
    assert found.paper_threshold.members_rejected == 0


def test_members_are_measured_against_a_centroid_without_them() -> None:
    random = np.random.default_rng(0)
    points = np.concatenate([random.normal(size=(5, 3)), random.normal(size=(4, 3)) + 9, [[50.0, 0.0, 0.0]]])
    fit = centroid_kmeans(points, points[[0, 5, 9]])
    expected = []
    for row, own in enumerate(fit.clusters.tolist()):
        others = np.flatnonzero((fit.clusters == own) & (np.arange(len(points)) != row))
        if len(others):
            centroids = fit.centroids.copy()
            centroids[own] = points[others].mean(axis=0)
            expected.append(cdist(points[[row]], centroids).min())
    np.testing.assert_allclose(member_distances(points, fit), expected)
    assert len(expected) == 9  # who is alone in a cluster cannot be tried


def test_strangers_are_measured_without_their_family() -> None:
    vectors = families(["x", "y", "z"], members=5)
    family_of = {each.name: each.name.split("-")[0] for each in vectors}
    found = stranger_distances(vectors, family_of, ["x", "y", "z"])
    assert len(found) == 18
    rest = np.array([each.values for each in vectors if family_of[each.name] != "x"])[:, [*range(14), 15]]
    strangers = np.array([each.values for each in vectors if family_of[each.name] == "x"])[:, [*range(14), 15]]
    scores = zscore(rest, axis=0)
    centroids = np.array([scores[:6].mean(axis=0), scores[6:].mean(axis=0)])
    away = (strangers - rest.mean(axis=0)) / rest.std(axis=0)
    np.testing.assert_allclose(found[:6], cdist(away, centroids).min(axis=1))


def test_a_small_population_has_no_strangers() -> None:
    for bases, members in ((["x", "y"], 9), (["x", "y", "z"], 2)):
        vectors = families(bases, members=members)
        assert not len(stranger_distances(vectors, {each.name: each.name.split("-")[0] for each in vectors}, bases))


def test_the_best_threshold_separates_what_can_be_separated() -> None:
    found = best_threshold(np.array([1.0, 2.0]), np.array([4.0, 8.0]))
    assert found is not None
    assert (found.value, found.members_rejected, found.strangers_accepted) == (3.0, 0, 0)
    assert best_threshold(np.array([]), np.array([1.0])) is None
    assert best_threshold(np.array([1.0]), np.array([])) is None


def test_a_threshold_is_inclusive() -> None:
    found = rate(2.0, np.array([1.0, 2.0, 3.0]), np.array([2.0, 5.0]))
    assert (found.members_rejected, found.strangers_accepted) == (1, 1)
    assert found.false_rejection_rate == pytest.approx(1 / 3)
    assert found.false_acceptance_rate == 0.5
    assert rate(2.0, np.array([]), np.array([])).false_acceptance_rate == 0.0
