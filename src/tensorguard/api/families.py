"""Distances, clusters and families of models, from their stored fingerprints or from the models themselves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tensorguard.api.fingerprints import Settings, fingerprint_model
from tensorguard.api.lineage import MOST_COMPARED, add_deep, relate
from tensorguard.api.quick import sampled_pair
from tensorguard.api.registered import registered_fingerprint
from tensorguard.api.registry_folder import registered_name
from tensorguard.api.sampling import is_quick, sampled_fingerprint
from tensorguard.api.telling_apart import told_apart
from tensorguard.errors import NotFoundError, UsageError
from tensorguard.family import classify as classifying
from tensorguard.family import clustering as clusters
from tensorguard.family import similarity
from tensorguard.family.classify import Classification
from tensorguard.family.clustering import Clustering, load_clustering
from tensorguard.family.comparison import StrategyResult, compare_strategies
from tensorguard.family.labels import Labels, load_labels
from tensorguard.family.similarity import Similarity
from tensorguard.family.space import Space, fit_space
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.features import SUFFIX as FEATURES_SUFFIX
from tensorguard.fingerprint.features import FeatureVector, features_files, load_features, vector
from tensorguard.fingerprint.fetched import read_fingerprint_at
from tensorguard.fingerprint.file import SUFFIX, read_fingerprint
from tensorguard.lineage.pair import Pair
from tensorguard.progress import Progress, Silent
from tensorguard.sources.places import locate
from tensorguard.sources.remote import RemotePath

_TOO_MANY = "{} models make too many pairs, so only the 16 numbers are compared; of up to {} it is told who is related"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is known about several models.

    Attributes:
        similarity: How far apart their 16 numbers are; None where they were made with different specifications.
        pairs: How those that have a whole fingerprint are related, pair by pair.
        notices: Things to know about the pairs, one sentence each.
    """

    similarity: Similarity | None
    pairs: tuple[Pair, ...]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What is there of a model: its 16 numbers (but of samples), and the fingerprint that they come from."""

    place: Path | str
    numbers: FeatureVector | None
    fingerprint: Fingerprint | None


def load_vectors(
    inputs: Sequence[Path | str], *, settings: Settings | None = None, progress: Progress | None = None
) -> list[FeatureVector]:
    """Return the 16 numbers of every input.

    Args:
        inputs: Features files, fingerprints (`.tgfp` or `registry:NAME`), folders of features files, or models, which are
            fingerprinted now.
        settings: How to fingerprint models.
        progress: Hears how far that is.

    Raises:
        NotFoundError: An input does not exist.
        InputError: An input is malformed.
    """
    loaded = _load(inputs, settings or Settings(), progress or Silent())
    for each in loaded:
        if each.numbers is None:
            raise UsageError("a sample has no 16 numbers", where=each.place, hint="make the fingerprint again without --quick")
    return [each.numbers for each in _named_apart(loaded) if each.numbers is not None]


def compare(
    inputs: Sequence[Path | str],
    *,
    reference: Path | str | None = None,
    include_size: bool = False,
    deep: bool = False,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Tell how models are related, two or many, and how far apart their 16 numbers are.

    Args:
        inputs: See `load_vectors`.
        reference: A saved clustering or a folder of features to standardise by, instead of the models given.
        include_size: Use `total_params` too.
        deep: Also read both of two models and compare them value by value.
        settings: How to fingerprint models.
        progress: Hears how far that is.

    Raises:
        NotFoundError: An input does not exist.
        InputError: An input is malformed.
        UsageError: Fewer than two models, two of one name, nothing to compare them by, fingerprints of different keys, or `deep`
            without two models.
    """
    settings, progress = settings or Settings(), progress or Silent()
    loaded = _named_apart(_load_sampled(inputs, settings, progress) or _load(inputs, settings, progress))
    prints = [each.fingerprint for each in loaded if each.fingerprint is not None]
    whole = [each for each in prints if each.digests or each.sketches]
    space = None if reference is None else _space(Path(reference), include_size=include_size)
    pairs = relate(whole, progress=progress) if len(whole) <= MOST_COMPARED else ()
    if deep:
        if len(pairs) != 1:
            raise UsageError("a deep comparison is of two models", hint="leave --deep out, or name two")
        pairs = (add_deep(pairs[0], inputs, settings=settings, progress=progress),)
    numbers = [each.numbers for each in loaded if each.numbers is not None]  # samples have none
    alike = len(numbers) == len(loaded) and len({each.specification for each in numbers}) == 1
    close = similarity.compare(numbers, space, include_size=include_size) if alike or not pairs else None
    return Comparison(close, pairs, (_TOO_MANY.format(len(whole), MOST_COMPARED),) if len(whole) > MOST_COMPARED else ())


def cluster(
    inputs: Sequence[Path | str],
    *,
    bases: Sequence[str] | None = None,
    labels: Path | str | None = None,
    include_size: bool = False,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> tuple[Clustering, tuple[StrategyResult, ...]]:
    """Sort models into the families of known bases.

    Args:
        inputs: See `load_vectors`; the bases among them.
        bases: Names of the bases; by default those of the labels file.
        labels: A labels file: the true base of each model.
        include_size: Use `total_params` too.
        settings: How to fingerprint models.
        progress: Hears how far that is.

    Returns:
        The families, and how the paper's five strategies do against the labels (empty without labels).

    Raises:
        NotFoundError: An input does not exist.
        InputError: An input is malformed.
        UsageError: No bases or unknown ones, or features of different specifications.
    """
    truth: Labels | None = None if labels is None else load_labels(Path(labels))
    vectors = load_vectors(inputs, settings=settings, progress=progress)
    families = clusters.cluster(vectors, bases, truth, include_size=include_size)
    strategies = compare_strategies(vectors, truth, bases, include_size=include_size) if truth else ()
    return families, strategies


def classify(
    model: Path | str,
    clustering: Clustering | Path | str,
    *,
    threshold: float | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Classification:
    """Tell which known family a model belongs to, or none.

    Args:
        model: See `load_vectors`; one model.
        clustering: The families, or the file they were saved to.
        threshold: Largest distance that counts as inside; by default the paper's 7.
        settings: How to fingerprint the model, if it is one.
        progress: Hears how far that is.

    Raises:
        NotFoundError: An input does not exist.
        InputError: An input is malformed.
        UsageError: The features are of another specification, or there are several models.
    """
    families = clustering if isinstance(clustering, Clustering) else load_clustering(Path(clustering))
    vectors = load_vectors([model], settings=settings, progress=progress)
    if len(vectors) != 1:
        raise UsageError("one model at a time is classified", where=model, hint="name one of the features files in it")
    return classifying.classify(vectors[0], families, threshold)


def _load_sampled(inputs: Sequence[Path | str], settings: Settings, progress: Progress) -> list[_Loaded]:
    """Return the fingerprints of inputs of which some are to be sampled, those without their 16 numbers; nothing if none is."""
    if not any(is_quick(each, settings) for each in inputs):
        return []
    if len(inputs) == 2:
        found = sampled_pair((inputs[0], inputs[1]), replace(settings, features=False), progress)
        return [_Loaded(place, None, each) for place, each in zip(inputs, found, strict=True)]
    loaded: list[_Loaded] = []
    for each in inputs:
        if is_quick(each, settings):
            loaded.append(_Loaded(each, None, sampled_fingerprint(each, settings, progress)))
        else:
            loaded += _read(each, settings, progress)
    return loaded


def _load(inputs: Sequence[Path | str], settings: Settings, progress: Progress) -> list[_Loaded]:
    return [each for given in inputs for each in _read(given, settings, progress)]


def _read(given: Path | str, settings: Settings, progress: Progress) -> list[_Loaded]:
    """Return what is there of an input, of which a folder of features files holds several."""
    name = registered_name(given)
    if name is not None:
        return [_whole(given, registered_fingerprint(name, settings.registry, settings.key.identity()))]
    path = locate(given)
    if path.suffix == SUFFIX:
        return [_whole(given, read_fingerprint_at(path))]
    if isinstance(path, RemotePath):
        return [_whole(given, fingerprint_model(given, settings=settings, progress=progress))]
    if path.name.endswith(FEATURES_SUFFIX):
        return [_features(path)]
    if _holds_features(path):
        return list(map(_features, features_files(path)))
    return [_whole(given, fingerprint_model(path, settings=settings, progress=progress))]


def _features(path: Path) -> _Loaded:
    """Read a features file; the fingerprint beside it, if there is one, says how its numbers were computed."""
    beside = _fingerprint_beside(path)
    numbers = load_features(path, beside.specification if beside else None)
    return _Loaded(path, numbers, replace(beside, name=numbers.name) if beside else None)


def _whole(place: Path | str, found: Fingerprint) -> _Loaded:
    return _Loaded(place, vector(found) if found.features else None, found)


def _named_apart(loaded: Sequence[_Loaded]) -> list[_Loaded]:
    """Give models that are called alike names that tell them apart."""
    names = [each.numbers.name if each.numbers else each.fingerprint.name if each.fingerprint else "" for each in loaded]
    apart = told_apart([(name, each.place) for name, each in zip(names, loaded, strict=True)])
    return [
        replace(
            each,
            numbers=replace(each.numbers, name=name) if each.numbers else None,
            fingerprint=replace(each.fingerprint, name=name) if each.fingerprint else None,
        )
        for name, each in zip(apart, loaded, strict=True)
    ]


def _holds_features(path: Path) -> bool:
    if not path.exists():
        raise NotFoundError("no such file or folder", where=path)
    return path.is_dir() and any(entry.name.endswith(FEATURES_SUFFIX) for entry in path.iterdir())


def _fingerprint_beside(path: Path) -> Fingerprint | None:
    try:
        return read_fingerprint(path.with_name(path.name.removesuffix(FEATURES_SUFFIX) + SUFFIX))
    except NotFoundError:
        return None


def _space(reference: Path, *, include_size: bool) -> Space:
    if reference.is_dir():
        return fit_space(load_vectors([reference]), include_size)
    return load_clustering(reference).space
