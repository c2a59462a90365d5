"""How far apart models are: Euclidean distance in a standardised space (paper III-D.2), and after PCA as the paper has it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import cdist, squareform

from tensorguard.errors import UsageError, quote
from tensorguard.family.space import Space, fit_space
from tensorguard.fingerprint.features import FeatureVector, by_name, compared_columns, matrix, require_one_specification
from tensorguard.limits import MAX_MODELS

SMALL_POPULATION = 8

_ALONE = (
    "two models alone cannot be standardised (every feature that differs would count the same): the distance is the root mean "
    "square of the features' symmetric relative differences, from 0 (equal) to 2 (opposite)"
)
_SMALL = "features are standardised over these {} models only, so distances will change when others join"


@dataclass(frozen=True, slots=True)
class Difference:
    """One feature of two models; `relative` is |a - b| / ((|a| + |b|) / 2), between 0 and 2, and 0 for two zeros."""

    feature: str
    first: float
    second: float
    relative: float


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A model's nearest other model; of several equally near the first by name."""

    name: str
    nearest: str
    distance: float


@dataclass(frozen=True, slots=True)
class Similarity:
    """Distances between n models.

    Attributes:
        names: The models, sorted.
        method: `standardised`, or `relative differences` for two models alone.
        columns: The features that were used.
        distances: n x n, symmetric, zeros on the diagonal.
        plane_distances: The same after PCA to two components; None for two models alone.
        differences: Feature by feature, for two models; otherwise empty.
        specification: How the features were computed.
        notices: Things a user should know, one sentence each.
    """

    names: tuple[str, ...]
    method: str
    columns: tuple[str, ...]
    distances: tuple[tuple[float, ...], ...]
    plane_distances: tuple[tuple[float, ...], ...] | None
    differences: tuple[Difference, ...]
    specification: str | None
    notices: tuple[str, ...] = ()

    def neighbours(self) -> tuple[Neighbour, ...]:
        """Return each model's nearest neighbour, in the order of the names."""
        distances = np.array(self.distances)
        np.fill_diagonal(distances, np.inf)
        nearest = distances.argmin(axis=1)
        return tuple(
            Neighbour(name, self.names[near], float(distances[row, near]))
            for row, (name, near) in enumerate(zip(self.names, nearest.tolist(), strict=True))
        )

    def tree(self) -> NDArray[np.float64]:
        """Return the average-linkage tree over the distances in scipy's form, (n - 1) x 4, neighbouring leaves alike."""
        return np.asarray(linkage(squareform(np.array(self.distances), checks=False), "average", optimal_ordering=True))

    def order(self) -> tuple[int, ...]:
        """Return the rows in the order of the tree's leaves, as a clustered heat map shows them."""
        return tuple(int(row) for row in leaves_list(self.tree()))


def compare(vectors: Sequence[FeatureVector], reference: Space | None = None, *, include_size: bool = False) -> Similarity:
    """Measure the distances between models.

    Args:
        vectors: Two models or more, in any order, of one specification.
        reference: The space to measure in, such as a clustering's; by default one standardised over the models given.
        include_size: Use `total_params` too, where there is no reference.

    Raises:
        UsageError: Fewer than two models, more than `MAX_MODELS`, two of one name, or different specifications.
    """
    vectors = by_name(vectors)
    if not 2 <= len(vectors) <= MAX_MODELS:
        raise UsageError(f"{len(vectors)} models cannot be compared with each other; give 2 to {MAX_MODELS}")
    specification = require_one_specification(vectors)
    names = tuple(vector.name for vector in vectors)
    columns = reference.columns if reference else compared_columns(include_size=include_size)
    differences = _differences(vectors[0], vectors[1], columns) if len(vectors) == 2 else ()
    if reference is None and len(vectors) == 2:
        distance = float(np.sqrt(np.mean([each.relative**2 for each in differences])))
        pair = ((0.0, distance), (distance, 0.0))
        return Similarity(names, "relative differences", columns, pair, None, differences, specification, (_ALONE,))
    space = reference or fit_space(vectors, include_size)
    return Similarity(
        names=names,
        method="standardised",
        columns=columns,
        distances=_distances(space.standardise(vectors)),
        plane_distances=_distances(space.project(vectors)),
        differences=differences,
        specification=specification,
        notices=_notices(vectors, space, reference),
    )


def _distances(points: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in cdist(points, points).tolist())


def _differences(first: FeatureVector, second: FeatureVector, columns: Sequence[str]) -> tuple[Difference, ...]:
    rows = zip(columns, *matrix([first, second], columns).tolist(), strict=True)
    return tuple(Difference(column, a, b, _relative(a, b)) for column, a, b in rows)


def _relative(a: float, b: float) -> float:
    middle = (abs(a) + abs(b)) / 2
    return abs(a - b) / middle if middle else 0.0


def _notices(vectors: Sequence[FeatureVector], space: Space, reference: Space | None) -> tuple[str, ...]:
    notices = []
    if reference is None and len(vectors) < SMALL_POPULATION:
        notices.append(_SMALL.format(len(vectors)))
    told: set[str] = set()
    for vector in vectors if reference else ():
        for feature, here, usual in space.departures(vector):
            if feature not in told:
                notices.append(f"{feature} is {here:g} in {quote(vector.name)} and {usual:g} in the reference; not compared")
                told.add(feature)
    return tuple(notices)
