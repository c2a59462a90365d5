import dataclasses
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy.cluster.vq import kmeans2
from scipy.stats import zscore
from sklearn.metrics import silhouette_score

from support.paper import families, published_labels, published_vectors, vector
from tensorguard.errors import InputError, UsageError
from tensorguard.family.clustering import cluster, load_clustering, save_clustering
from tensorguard.family.labels import Labels
from tensorguard.fingerprint.base import FEATURES

WRONG_DERIVATIVES = {
    "SicariusSicariiStuff_Phi-lthy4": "Llama-3.1-8B",
    "gghfez_gemma-3-4b-novision": "Llama-3.2-3B",
    "dnotitia_Smoothie-Qwen2.5-3B-Instruct": "llama-3.2-1b",
}


def test_the_papers_94_percent() -> None:
    found = cluster(published_vectors(), labels=published_labels()).accuracy
    assert found is not None
    assert (found.right_derivatives, found.derivatives) == (47, 50)
    assert found.of_derivatives == 0.94
    wrong = {each.name: each.family for each in found.wrong}
    base = wrong.pop("Qwen2.5-3B")
    assert wrong == WRONG_DERIVATIVES
    # One base leaves its own cluster, so of all 58 it is 54.
    assert base == "llama-3.2-1b"
    assert (found.right, found.models) == (54, 58)


def test_with_total_params_it_is_78_percent() -> None:
    found = cluster(published_vectors(), labels=published_labels(), include_size=True).accuracy
    assert found is not None
    assert found.of_derivatives == 0.78


def test_it_is_kmeans_from_the_bases_in_z_scores() -> None:
    vectors, labels = published_vectors(), published_labels()
    found = cluster(vectors, labels.bases)
    values = np.array([each.values for each in vectors])[:, [FEATURES.index(column) for column in found.space.columns]]
    scores = np.nan_to_num(zscore(values[:, :-1], axis=0))
    names = [each.name for each in vectors]
    centroids, clusters = kmeans2(scores, scores[[names.index(base) for base in labels.bases]], iter=100, minit="matrix")
    assert [each.family for each in found.members] == [labels.bases[number] for number in clusters]
    np.testing.assert_allclose(np.array(found.centroids)[:, :-1], centroids, atol=1e-9)
    own = np.linalg.norm(scores - centroids[clusters], axis=1)
    np.testing.assert_allclose([each.distance for each in found.members], own, atol=1e-9)
    assert found.inertia == pytest.approx(float(np.sum(own**2)))
    assert found.silhouette == pytest.approx(silhouette_score(scores, clusters))
    assert max(own) < 4.0
    assert found.accuracy is None


def test_it_says_what_a_user_should_know() -> None:
    labels = published_labels()
    extended = Labels(labels.bases, {**{k: v for k, v in labels.labels.items() if k != "MARS-v0.2"}, "elsewhere": "phi-4"})
    notices = " ".join(cluster(published_vectors(), labels=extended).notices)
    assert "the base 'Qwen2.5-3B' ended in the family that started from 'llama-3.2-1b'" in notices
    assert "not compared: num_layers" in notices
    assert "without a label, so not in the accuracy: 1, the first 'MARS-v0.2'" in notices
    assert "labelled but not among the models: 1, the first 'elsewhere'" in notices


def test_the_order_of_models_does_not_matter() -> None:
    vectors, labels = published_vectors(), published_labels()
    assert cluster(vectors[::-1], labels=labels) == cluster(vectors, labels=labels)


def test_saved_and_loaded_without_loss(tmp_path: Path) -> None:
    found = cluster(published_vectors(), labels=published_labels())
    save_clustering(tmp_path / "c.json", found)
    assert load_clustering(tmp_path / "c.json") == found
    document = json.loads((tmp_path / "c.json").read_text())
    assert document["schema"] == "tensorguard/clustering/1"
    assert document["space"]["specification"] is None
    again = tmp_path / "again.json"
    save_clustering(again, load_clustering(tmp_path / "c.json"))
    assert again.read_bytes() == (tmp_path / "c.json").read_bytes()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["schema"], "tensorguard/clustering/2"),
        (["families"], ["x", "x"]),
        (["families"], []),
        (["centroids", 0], [1.0]),
        (["centroids", 0, 0], 1e70),
        (["centroids", 0, 0], "1"),
        (["members", 0, "plane", 0], 1e70),
        (["members", 0, "family"], "another"),
        (["members", 0, "distance"], -1.0),
        (["space", "columns", 0], "global_std"),
        (["space", "scale", 0], -1.0),
        (["space", "scale", 0], 1e-70),
        (["space", "mean"], [1.0]),
        (["space", "components"], []),
        (["paper_threshold"], 7),
    ],
)
def test_a_damaged_clustering_is_refused(tmp_path: Path, path: list[str | int], value: object) -> None:
    document = msgspec.to_builtins(cluster(families(["x", "y"]), ["x", "y"]))
    document = json.loads(json.dumps(document))
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    (tmp_path / "c.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match="is not a saved clustering"):
        load_clustering(tmp_path / "c.json")


def test_bases_come_by_name_or_from_the_labels() -> None:
    vectors = families(["x", "y", "z"])
    assert cluster(vectors, ["z", "x"]).families == ("z", "x")
    assert cluster(vectors, labels=Labels(("x", "y"), {})).families == ("x", "y")
    with pytest.raises(UsageError, match="no base models"):
        cluster(vectors)
    with pytest.raises(UsageError, match="no model is called 'w'"):
        cluster(vectors, ["w"])


def test_one_family_is_enough() -> None:
    found = cluster(families(["x"]), ["x"])
    assert {each.family for each in found.members} == {"x"}
    assert found.silhouette is None
    assert found.leave_one_family_out is None


def test_misuse_is_refused() -> None:
    with pytest.raises(UsageError, match="'a' and 'b' have equal features"):
        cluster([vector("a"), vector("b"), vector("c", ffn_mean=2)], ["a", "b"])
    with pytest.raises(UsageError, match="one model alone"):
        cluster([vector("a")], ["a"])
    mixed = [*families(["x", "y"]), dataclasses.replace(vector("new"), specification="ours")]
    with pytest.raises(UsageError, match="'ours' and as 'not stated'"):
        cluster(mixed, ["x", "y"])
