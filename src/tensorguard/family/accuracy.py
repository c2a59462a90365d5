"""From clusters to families, and how many models that puts right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from tensorguard.family.strategies import CENTROID, NOISE, Clusters

PAPER_TABLE_I: Mapping[str, float] = {
    CENTROID: 0.94,
    "hierarchical": 0.78,
    "Gaussian mixture": 0.76,
    "standard K-means": 0.54,
    "DBSCAN": 0.44,
}
"""Accuracies of arXiv 2506.01631, table I; its settings, cluster mapping and (but for the first) denominators are unstated."""


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A labelled model that was put into another family; `family` is None where it was put into none."""

    name: str
    label: str
    family: str | None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How many labelled models are in the family of their label: of the derivatives alone, and with the bases among them."""

    right_derivatives: int
    derivatives: int
    right: int
    models: int
    wrong: tuple[Misplaced, ...]

    @property
    def of_derivatives(self) -> float:
        """The share of derivatives that are right, the paper's headline; 0 without derivatives."""
        return self.right_derivatives / self.derivatives if self.derivatives else 0.0

    @property
    def of_all(self) -> float:
        """The share of all labelled models that are right, bases included; 0 without labels."""
        return self.right / self.models if self.models else 0.0


def measure(families: Mapping[str, str | None], labels: Mapping[str, str], bases: Sequence[str]) -> Accuracy:
    """Count the models that are in the family of their label; models without a label do not count.

    Args:
        families: Model to the base of the family it was put into; None for none.
        labels: Model to its true base.
        bases: The base models.
    """
    labelled = [name for name in sorted(families) if name in labels]
    wrong = tuple(Misplaced(name, labels[name], families[name]) for name in labelled if families[name] != labels[name])
    derivatives = [name for name in labelled if name not in bases]
    wrong_derivatives = sum(each.name not in bases for each in wrong)
    return Accuracy(len(derivatives) - wrong_derivatives, len(derivatives), len(labelled) - len(wrong), len(labelled), wrong)


def assign_families(
    names: Sequence[str], clusters: Clusters, labels: Mapping[str, str], bases: Sequence[str]
) -> dict[str, str | None]:
    """Name anonymous clusters by the one-to-one assignment to families that puts most models right (the Hungarian method).

    This mapping looks at the labels, so it flatters: it is the best that the clusters allow. Noise and clusters beyond the number
    of families get None.
    """
    found = sorted(set(clusters.tolist()) - {NOISE})
    overlap = np.zeros((len(found), len(bases)))
    for name, cluster in zip(names, clusters.tolist(), strict=True):
        if cluster != NOISE and labels.get(name) in bases:
            overlap[found.index(cluster), bases.index(labels[name])] += 1
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    base_of = {found[row]: bases[column] for row, column in zip(rows, columns, strict=True)}
    return {name: base_of.get(cluster) for name, cluster in zip(names, clusters.tolist(), strict=True)}
