"""When is a model of no known family? A distance threshold, and how often it errs both ways.

The paper's threshold is 7. On its own data no distance to the own centroid is above 4.0, so 7 rejects no member, and of strangers
(models whose whole family was left out) it rejects few. The leave-one-family-out threshold is chosen from the same two kinds of
distances, so its error rates are those of the data it was chosen on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from tensorguard.family.space import fit_space
from tensorguard.family.strategies import KMeansFit, Points, centroid_kmeans
from tensorguard.fingerprint.features import FeatureVector

PAPER_THRESHOLD = 7.0

FEWEST_FAMILIES = 3
"""A family is left out only if at least two remain."""

FEWEST_MODELS = 8
"""... and at least so many models: standardised over fewer, nearly equal ones, a stranger is absurdly far from all of them."""

Distances = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A distance in the standardised space, to the nearest centroid, beyond which a model is of no known family.

    Attributes:
        value: The distance; at most this far is inside.
        members_rejected: Members of known families that it puts out of cluster, wrongly (false rejections).
        members: How many members were tried.
        strangers_accepted: Models that it puts into some family while their own family is left out (false acceptances).
        strangers: How many strangers were tried.
    """

    value: float
    members_rejected: int
    members: int
    strangers_accepted: int
    strangers: int

    @property
    def false_rejection_rate(self) -> float:
        """Share of members rejected; 0 where none could be tried."""
        return self.members_rejected / self.members if self.members else 0.0

    @property
    def false_acceptance_rate(self) -> float:
        """Share of strangers accepted; 0 where none could be tried."""
        return self.strangers_accepted / self.strangers if self.strangers else 0.0


def rate(value: float, members: Distances, strangers: Distances) -> Threshold:
    """Count both errors of one threshold."""
    return Threshold(value, int(np.sum(members > value)), len(members), int(np.sum(strangers <= value)), len(strangers))


def member_distances(points: Points, fit: KMeansFit) -> Distances:
    """Distance of each member to the nearest centroid, its own one taken without it.

    With n members, taking one out of the mean moves the centroid away: its distance grows by n / (n - 1) exactly. Standardisation
    and the other members' clusters stay as they are. Members that are alone in their cluster cannot be tried and are left out.
    """
    sizes = np.bincount(fit.clusters, minlength=len(fit.centroids))
    distances = cdist(points, fit.centroids)
    rows = np.flatnonzero(sizes[fit.clusters] > 1)
    own = fit.clusters[rows]
    distances[rows, own] *= sizes[own] / (sizes[own] - 1)
    return np.asarray(distances[rows].min(axis=1))


def stranger_distances(
    vectors: Sequence[FeatureVector], family_of: Mapping[str, str], bases: Sequence[str], include_size: bool = False
) -> Distances:
    """Distance of each model to the nearest centroid when its family is left out of everything.

    For each family in turn the others are standardised and clustered anew from their bases, and the members of the family left
    out, its base included, are measured against that.

    Args:
        vectors: The models, sorted by name.
        family_of: The family of each model, as labelled or, without labels, as clustered.
        bases: The base models; with fewer than `FEWEST_FAMILIES`, nothing can be left out and the result is empty.
        include_size: Whether `total_params` is among the columns.
    """
    family = {**family_of, **{base: base for base in bases}}
    found: list[float] = []
    for absent in bases if len(bases) >= FEWEST_FAMILIES else ():
        rest = [vector for vector in vectors if family.get(vector.name) != absent]
        strangers = [vector for vector in vectors if family.get(vector.name) == absent]
        row_of = {vector.name: row for row, vector in enumerate(rest)}
        if len(rest) < FEWEST_MODELS:
            continue
        space = fit_space(rest, include_size)
        points = space.standardise(rest)
        fit = centroid_kmeans(points, points[[row_of[base] for base in bases if base != absent]])
        found.extend(cdist(space.standardise(strangers), fit.centroids).min(axis=1).tolist())
    return np.array(found)


def best_threshold(members: Distances, strangers: Distances) -> Threshold | None:
    """Return the threshold with the smallest sum of both error rates (Youden's), the lowest such; None without both kinds.

    Candidates lie midway between neighbouring distances.
    """
    if not len(members) or not len(strangers):
        return None
    seen = np.unique(np.concatenate([[0.0], members, strangers]))
    candidates = [*((seen[1:] + seen[:-1]) / 2).tolist(), float(seen[-1])]
    return min(
        (rate(value, members, strangers) for value in candidates),
        key=lambda each: (each.false_rejection_rate + each.false_acceptance_rate, each.value),
    )
