"""The space that models are compared in: each feature standardised over a population, and its principal components.

PCA is for the picture and for the paper's second distance, not for the decision: on the published features clustering after it
loses 12 points of accuracy. `total_params` is left out by default because it counts what a fingerprint happened to read.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import UsageError, quote
from tensorguard.fingerprint.base import FEATURES
from tensorguard.fingerprint.features import (
    LARGEST,
    SAME_SETTINGS,
    FeatureVector,
    compared_columns,
    describe,
    matrix,
    require_one_specification,
)

_AXES = 2
"""Dimensions of the plane."""


@dataclass(frozen=True, slots=True)
class Space:
    """A standardisation and the plane of its first principal components. JSON holds it without loss.

    Attributes:
        specification: How the population's features were computed; only such features belong here.
        columns: The features that are used, c of them, in the order of `FEATURES`.
        mean: Their mean over the population, c numbers.
        scale: Their standard deviation, c numbers; 0 marks a constant feature, which no distance takes into account.
        components: The plane's axes in the standardised space, 2 x c, orthonormal.
        explained: The share of the population's variance along each axis.
    """

    specification: str | None
    columns: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    components: tuple[tuple[float, ...], ...]
    explained: tuple[float, ...]

    def __post_init__(self) -> None:
        width = len(self.columns)
        if not width or list(self.columns) != [key for key in FEATURES if key in self.columns]:
            raise ValueError("the columns are not features in their order")
        if any(len(row) != width for row in (self.mean, self.scale, *self.components)):
            raise ValueError("the standardisation does not fit its columns")
        if not len(self.components) == len(self.explained) == _AXES:
            raise ValueError("the components are not a plane")
        if any(scale and not 1 / LARGEST <= scale <= LARGEST for scale in self.scale):
            raise ValueError("a standard deviation is negative or absurd")
        if any(abs(number) > LARGEST for row in (self.mean, *self.components) for number in row):
            raise ValueError("a number is absurdly large")

    @property
    def constant(self) -> tuple[str, ...]:
        """The features that were the same in the whole population."""
        return tuple(column for column, scale in zip(self.columns, self.scale, strict=True) if scale == 0)

    def departures(self, vector: FeatureVector) -> list[tuple[str, float, float]]:
        """Return (feature, its value here, the population's) where a model differs in a feature that was the same in all others."""
        usual = ((column, self.mean[self.columns.index(column)]) for column in self.constant)
        return [
            (column, vector.value(column), mean)
            for column, mean in usual
            if not math.isclose(vector.value(column), mean, rel_tol=1e-9)
        ]

    def standardise(self, vectors: Sequence[FeatureVector]) -> NDArray[np.float64]:
        """Return models x columns, z-scored over this space's population; constant columns are 0 for every model.

        Raises:
            UsageError: A vector's specification is not this space's.
        """
        for vector in vectors:
            if vector.specification != self.specification:
                raise UsageError(
                    f"the features of {quote(vector.name)} were computed as {describe(vector.specification)}, those it is "
                    f"compared with as {describe(self.specification)}",
                    hint=SAME_SETTINGS,
                )
        return _standardise(matrix(vectors, self.columns), np.array(self.mean), np.array(self.scale))

    def project(self, vectors: Sequence[FeatureVector]) -> NDArray[np.float64]:
        """Return models x axes: the standardised features on the plane of the principal components."""
        return np.asarray(self.standardise(vectors) @ np.array(self.components).T)


def fit_space(vectors: Sequence[FeatureVector], include_size: bool = False) -> Space:
    """Standardise a population (population standard deviation, as scikit-learn does) and find its principal plane.

    Args:
        vectors: The population, two models or more of one specification.
        include_size: Use `total_params` too; on the published features that costs 16 points of accuracy.

    Raises:
        UsageError: Fewer than two models, or different specifications.
    """
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    if len(vectors) < 2:
        raise UsageError("one model alone has nothing to be compared with", hint="give two features files or more")
    specification = require_one_specification(vectors)
    columns = compared_columns(include_size=include_size)
    values = matrix(vectors, columns)
    scaler = StandardScaler().fit(values)
    # scikit-learn gives constant features the scale 1, so a stranger's raw difference would count; here it must not.
    varies = (scaler.scale_ == np.sqrt(scaler.var_)) & (scaler.scale_ >= 1 / LARGEST)
    scale = np.where(varies, scaler.scale_, 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # 0 / 0 where all models are equal
        plane = PCA(_AXES, svd_solver="full").fit(_standardise(values, scaler.mean_, scale))
    return Space(
        specification,
        columns,
        mean=_numbers(scaler.mean_),
        scale=_numbers(scale),
        components=tuple(_numbers(axis) for axis in plane.components_),
        explained=_numbers(np.nan_to_num(plane.explained_variance_ratio_)),
    )


def _standardise(values: NDArray[np.float64], mean: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    weight = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    return (values - mean) * weight


def _numbers(array: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(number) for number in array)
