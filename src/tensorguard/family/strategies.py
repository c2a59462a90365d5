"""The paper's five ways to cluster (RQ3, table I), each on points of any space; scikit-learn does the work (it takes a second to load).

Only the first knows the base models. All are deterministic: points come sorted by model name, random states are fixed, and the
linear algebra runs on one thread.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans
    from sklearn.mixture import GaussianMixture

Points = NDArray[np.float64]
Clusters = NDArray[np.intp]
"""One cluster number per point; -1 is noise."""

NOISE = -1


@dataclass(frozen=True, slots=True)
class KMeansFit:
    """A converged K-means: the cluster of each point, the centroids (k x d), and the sum of squared distances to them."""

    clusters: Clusters
    centroids: Points
    inertia: float


def centroid_kmeans(points: Points, initial: Points) -> KMeansFit:
    """K-means that starts from the base models (paper III-D.3); cluster i is the one that started from `initial[i]`.

    Args:
        points: n x d.
        initial: k x d, the points of the bases.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct points than clusters
        fitted = KMeans(len(initial), init=initial, n_init=1).fit(points)
    return KMeansFit(fitted.labels_.astype(np.intp), fitted.cluster_centers_, float(fitted.inertia_))


def kmeans(points: Points, count: int, seed: int = 0) -> Clusters:
    """Standard K-means: k-means++ starts, the best of ten."""
    from sklearn.cluster import KMeans

    return _fit(KMeans(count, n_init=10, random_state=seed), points)


def hierarchical(points: Points, count: int, seed: int = 0) -> Clusters:  # noqa: ARG001 - one signature for all strategies
    """Agglomerative clustering with Ward's linkage, cut at `count` clusters."""
    from sklearn.cluster import AgglomerativeClustering

    return _fit(AgglomerativeClustering(count, linkage="ward"), points)


def gaussian_mixture(points: Points, count: int, seed: int = 0) -> Clusters:
    """A Gaussian mixture with full covariances, one start from K-means."""
    from sklearn.mixture import GaussianMixture

    return _fit(GaussianMixture(count, covariance_type="full", random_state=seed), points)


def dbscan(points: Points, count: int, seed: int = 0) -> Clusters:  # noqa: ARG001 - one signature for all strategies
    """DBSCAN with three neighbours; epsilon is the median over the points of the distance to their third neighbour."""
    from sklearn.cluster import DBSCAN

    neighbours = 3
    distances = np.sort(cdist(points, points), axis=1)
    radius = float(np.median(distances[:, min(neighbours, len(points) - 1)]))
    return _fit(DBSCAN(eps=max(radius, np.finfo(np.float64).tiny), min_samples=neighbours), points)


@dataclass(frozen=True, slots=True)
class Rival:
    """A rival of centroid-initialised K-means.

    Attributes:
        name: What to call it.
        settings: What the paper leaves unstated, in words.
        run: Points, number of clusters and seed to cluster numbers.
        random: Whether the seed matters.
    """

    name: str
    settings: str
    run: Callable[[Points, int, int], Clusters]
    random: bool


CENTROID = "centroid-initialised K-means"

RIVALS = (
    Rival("hierarchical", "Ward linkage, cut at one cluster per base", hierarchical, False),
    Rival("Gaussian mixture", "full covariances, one component per base, one start", gaussian_mixture, True),
    Rival("standard K-means", "one cluster per base, k-means++, best of ten starts", kmeans, True),
    Rival("DBSCAN", "3 neighbours, epsilon the median distance to the third neighbour", dbscan, False),
)


def _fit(estimator: "KMeans | AgglomerativeClustering | GaussianMixture | DBSCAN", points: Points) -> Clusters:
    from sklearn.exceptions import ConvergenceWarning

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # what did not converge shows in its accuracy
        return np.asarray(estimator.fit_predict(points), np.intp)
