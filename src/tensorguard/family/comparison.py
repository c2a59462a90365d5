"""The five strategies side by side, in the standardised space and after PCA (RQ3, table I and figure 6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorguard.errors import UsageError
from tensorguard.family.accuracy import PAPER_TABLE_I, Accuracy, assign_families, measure
from tensorguard.family.labels import Labels, require_known
from tensorguard.family.space import fit_space
from tensorguard.family.strategies import CENTROID, RIVALS, Points, Rival, centroid_kmeans
from tensorguard.fingerprint.features import FeatureVector, by_name

FULL = "standardised features"
PLANE = "after PCA to 2 components"

SEEDS = 10


@dataclass(frozen=True, slots=True)
class StrategyResult:
    """How one strategy did in one space.

    Attributes:
        strategy: Its name, a key of `PAPER_TABLE_I`.
        space: `FULL` or `PLANE`.
        settings: What the paper leaves unstated.
        mapping: How clusters became families.
        families: Model to the base of its family; None for none.
        accuracy: Against the labels, at random state 0.
        spread: Fewest and most derivatives right over random states 0 to 9; None where nothing is random.
        paper: The paper's own accuracy, whatever its space and mapping.
    """

    strategy: str
    space: str
    settings: str
    mapping: str
    families: Mapping[str, str | None]
    accuracy: Accuracy
    spread: tuple[int, int] | None
    paper: float


def compare_strategies(
    vectors: Sequence[FeatureVector], labels: Labels, bases: Sequence[str] | None = None, *, include_size: bool = False
) -> tuple[StrategyResult, ...]:
    """Cluster with all five strategies in both spaces, and measure them against the labels.

    Args:
        vectors: The models in any order, the bases among them.
        labels: The truth; every strategy but the first needs it to name its clusters.
        bases: The base models; by default the labels'.
        include_size: Use `total_params` too.

    Raises:
        UsageError: Unknown bases, fewer than two models, or different specifications.
    """
    vectors = by_name(vectors)
    names = [vector.name for vector in vectors]
    bases = tuple(labels.bases if bases is None else bases)
    require_known(bases, names)
    if len(vectors) < 2:
        raise UsageError("one model alone cannot be clustered", hint="give its base models too")
    space = fit_space(vectors, include_size)
    results = []
    for place, points in ((FULL, space.standardise(vectors)), (PLANE, space.project(vectors))):
        results.append(_centroid(place, points, names, labels, bases))
        results.extend(_rival(rival, place, points, names, labels, bases) for rival in RIVALS)
    return tuple(results)


def _centroid(place: str, points: Points, names: Sequence[str], labels: Labels, bases: Sequence[str]) -> StrategyResult:
    fit = centroid_kmeans(points, points[[names.index(base) for base in bases]])
    families = {name: bases[cluster] for name, cluster in zip(names, fit.clusters.tolist(), strict=True)}
    return StrategyResult(
        CENTROID,
        place,
        settings="initial centroids the bases, one start",
        mapping="by initial centroid",
        families=families,
        accuracy=measure(families, labels.labels, bases),
        spread=None,
        paper=PAPER_TABLE_I[CENTROID],
    )


def _rival(
    rival: Rival, place: str, points: Points, names: Sequence[str], labels: Labels, bases: Sequence[str]
) -> StrategyResult:
    tried = [
        assign_families(names, rival.run(points, len(bases), seed), labels.labels, bases)
        for seed in range(SEEDS if rival.random else 1)
    ]
    accuracies = [measure(families, labels.labels, bases) for families in tried]
    right = [accuracy.right_derivatives for accuracy in accuracies]
    return StrategyResult(
        rival.name,
        place,
        settings=rival.settings,
        mapping="Hungarian, the most favourable",
        families=tried[0],
        accuracy=accuracies[0],
        spread=(min(right), max(right)) if rival.random else None,
        paper=PAPER_TABLE_I[rival.name],
    )
