"""The family of one more model, or none (paper III-D.4)."""

import math
from dataclasses import dataclass

from tensorguard.errors import UsageError
from tensorguard.family.clustering import Clustering
from tensorguard.fingerprint.features import FeatureVector


@dataclass(frozen=True, slots=True)
class Classification:
    """Where a model lies among the families of a clustering.

    Attributes:
        name: The model.
        family: The base of its family, or None: out of cluster.
        nearest: The base of the nearest family, whether or not it is near enough.
        distance: Distance to that family's converged centroid.
        distances: Family to distance, nearest first.
        threshold: The largest distance that counts as inside.
        margin: 1 - d1 / d2, d1 and d2 the distances to the nearest and second nearest centroid: 0 halfway between two families,
            1 on a centroid. None with one family only.
        farther_members: The share of the nearest family's members that lie farther from its centroid than this model (the model
            itself apart, if it is one of them): 1 more typical than all, 0 less typical than any. None without other members.
        leave_one_family_out_threshold: The stricter threshold chosen from the population, if there is one.
        within_leave_one_family_out: Whether the model is inside that too.
        notices: Things a user should know, one sentence each.
    """

    name: str
    family: str | None
    nearest: str
    distance: float
    distances: dict[str, float]
    threshold: float
    margin: float | None
    farther_members: float | None
    leave_one_family_out_threshold: float | None
    within_leave_one_family_out: bool | None
    notices: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The family's name, or `out of cluster`."""
        return "out of cluster" if self.family is None else self.family


def classify(vector: FeatureVector, clustering: Clustering, threshold: float | None = None) -> Classification:
    """Find the nearest converged centroid, and say whether it is near enough.

    Args:
        vector: The model's features, of the clustering's specification.
        clustering: The families.
        threshold: The largest distance in the standardised space that counts as inside; by default the paper's 7.

    Raises:
        UsageError: Another specification, or a threshold that is not a positive number.
    """
    limit = clustering.paper_threshold.value if threshold is None else threshold
    if not (math.isfinite(limit) and limit > 0):
        raise UsageError(f"the threshold must be a positive number, not {limit}")
    measured = zip(clustering.families, clustering.distances([vector])[0].tolist(), strict=True)
    ranked = sorted(measured, key=lambda pair: pair[1])
    nearest, distance = ranked[0]
    others = [member.distance for member in clustering.members if member.family == nearest and member.name != vector.name]
    strict = clustering.leave_one_family_out
    return Classification(
        name=vector.name,
        family=nearest if distance <= limit else None,
        nearest=nearest,
        distance=distance,
        distances=dict(ranked),
        threshold=limit,
        margin=_margin([each for _, each in ranked]),
        farther_members=sum(each > distance for each in others) / len(others) if others else None,
        leave_one_family_out_threshold=strict.value if strict else None,
        within_leave_one_family_out=distance <= strict.value if strict else None,
        notices=_notices(vector, clustering),
    )


def _margin(ascending: list[float]) -> float | None:
    if len(ascending) < 2:
        return None
    return 1.0 - ascending[0] / ascending[1] if ascending[1] > 0 else 0.0


def _notices(vector: FeatureVector, clustering: Clustering) -> tuple[str, ...]:
    return tuple(
        f"{feature} is {here:g} here and {usual:g} in every model of the clustering; it is not compared"
        for feature, here, usual in clustering.space.departures(vector)
    )
