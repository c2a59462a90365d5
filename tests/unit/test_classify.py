import dataclasses

import numpy as np
import pytest

from support.paper import families, published_labels, published_vectors, vector
from tensorguard.errors import UsageError
from tensorguard.family.classify import classify
from tensorguard.family.clustering import cluster
from tensorguard.fingerprint.features import FeatureVector, matrix

CLUSTERING = cluster(published_vectors(), labels=published_labels())


def test_every_member_is_classified_as_clustered() -> None:
    for member, each in zip(CLUSTERING.members, published_vectors(), strict=True):
        found = classify(each, CLUSTERING)
        assert found.family == found.nearest == found.verdict == member.family
        assert found.distance == pytest.approx(member.distance, abs=1e-9)


def test_distances_margin_and_rank_recomputed() -> None:
    unknown = FeatureVector("unknown", (*(1.01 * value for value in published_vectors()[4].values[:14]), 8e9, 10.0))
    found = classify(unknown, CLUSTERING)
    population = matrix(published_vectors())[:, :14]
    scores = (population - population.mean(axis=0)) / population.std(axis=0)
    families_of = np.array([member.family for member in CLUSTERING.members])
    place = (np.array(unknown.values[:14]) - population.mean(axis=0)) / population.std(axis=0)
    expected = {family: np.linalg.norm(place - scores[families_of == family].mean(axis=0)) for family in CLUSTERING.families}
    assert found.distances == pytest.approx(expected)
    assert list(found.distances.values()) == sorted(found.distances.values())
    first, second = sorted(expected.values())[:2]
    assert found.margin == pytest.approx(1 - first / second)
    own = scores[families_of == found.nearest]
    farther = np.mean(np.linalg.norm(own - own.mean(axis=0), axis=1) > first)
    assert found.farther_members == pytest.approx(farther)


def test_a_far_model_is_out_of_cluster_but_keeps_its_nearest() -> None:
    strange = FeatureVector("strange", (*(5 * value for value in published_vectors()[0].values[:15]), 10.0))
    found = classify(strange, CLUSTERING)
    assert found.distance > 7
    assert found.family is None
    assert found.verdict == "out of cluster"
    assert found.nearest in CLUSTERING.families
    assert found.within_leave_one_family_out is False
    assert classify(strange, CLUSTERING, threshold=found.distance).family == found.nearest


def test_both_thresholds_are_told() -> None:
    member = published_vectors()[0]
    strict = CLUSTERING.leave_one_family_out
    assert strict is not None
    found = classify(member, CLUSTERING)
    assert found.threshold == 7.0
    assert found.leave_one_family_out_threshold == strict.value
    assert found.within_leave_one_family_out == (found.distance <= strict.value)
    assert classify(member, CLUSTERING, threshold=found.distance / 2).family is None


def test_a_feature_that_never_varied_is_noted_not_measured() -> None:
    values = published_vectors()[0].values
    found = classify(FeatureVector("same", (*values[:15], 24.0)), CLUSTERING)
    assert found.distance == classify(published_vectors()[0], CLUSTERING).distance
    assert found.notices == ("num_layers is 24 here and 10 in every model of the clustering; it is not compared",)


def test_the_model_itself_is_no_evidence_for_its_rank() -> None:
    alone = cluster(families(["x", "y"], members=0), ["x", "y"])
    found = classify(families(["x", "y"], members=0)[0], alone)
    assert found.distance == pytest.approx(0, abs=1e-12)
    assert found.margin == pytest.approx(1)
    assert found.farther_members is None


def test_one_family_leaves_no_margin() -> None:
    vectors = families(["x"], members=3)
    assert classify(vectors[1], cluster(vectors, ["x"])).margin is None


def test_another_specification_is_refused() -> None:
    with pytest.raises(UsageError, match="'mine' were computed as 'ours', those it is compared with as 'not stated'"):
        classify(dataclasses.replace(vector("mine"), specification="ours"), CLUSTERING)


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan"), float("inf")])
def test_a_threshold_is_a_positive_number(threshold: float) -> None:
    with pytest.raises(UsageError, match="positive number"):
        classify(published_vectors()[0], CLUSTERING, threshold)
