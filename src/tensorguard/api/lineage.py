"""How models are related: evidence of descent for pairs, parents of merges, family trees."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tensorguard.api.fingerprints import Settings
from tensorguard.api.loading import load_fingerprint
from tensorguard.api.models import Model
from tensorguard.api.quick import sampled_pair
from tensorguard.api.sampling import is_quick, sampled_fingerprint
from tensorguard.api.telling_apart import told_apart
from tensorguard.engines.sizing import processors
from tensorguard.engines.threads import Threads
from tensorguard.errors import UsageError, quote
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.file import SUFFIX
from tensorguard.fingerprint.sketches import Sketches
from tensorguard.lineage.confirmed import confirmed
from tensorguard.lineage.deep.compare import deep_compare
from tensorguard.lineage.mixture import Mixture, mixture
from tensorguard.lineage.pair import Pair
from tensorguard.lineage.sampled import is_sampled
from tensorguard.lineage.tree import Tree, family_tree
from tensorguard.lineage.verdict import LINKED, Lineage, compare_lineage
from tensorguard.progress import Progress, Silent

MOST_COMPARED = 60
"""Of more models not every pair is compared."""


def compare_models(
    models: Sequence[Path | str], *, deep: bool = False, settings: Settings | None = None, progress: Progress | None = None
) -> tuple[Pair, ...]:
    """Tell how models are related, pair by pair, in the order given.

    Args:
        models: Models, `.tgfp` files and `registry:NAME`, any mix.
        deep: Also read both models and compare them value by value; of two models only.
        settings: How to fingerprint models.
        progress: Hears how far it is.

    Raises:
        NotFoundError: A model does not exist.
        InputError: One is malformed.
        UsageError: Fewer than two or too many models, fingerprints of different keys, or `deep` without two models.
    """
    settings, progress = settings or Settings(), progress or Silent()
    if len(models) == 2:
        found = [*sampled_pair((models[0], models[1]), settings, progress)]
    else:
        found = [_sampled_or_whole(model, settings, progress) for model in models]
    pairs = relate(_named_apart(found, models), progress=progress)
    return (add_deep(pairs[0], models, settings=settings, progress=progress),) if deep else pairs


def _sampled_or_whole(model: Path | str, settings: Settings, progress: Progress) -> Fingerprint:
    if is_quick(model, settings):
        return sampled_fingerprint(model, settings, progress)
    return load_fingerprint(model, settings=settings, progress=progress)


def relate(fingerprints: Sequence[Fingerprint], *, progress: Progress | None = None) -> tuple[Pair, ...]:
    """Compare every pair of fingerprints, in the order given.

    Raises:
        UsageError: There are too many, or they were made with different keys.
    """
    if len(fingerprints) > MOST_COMPARED:
        raise UsageError(f"{len(fingerprints)} models make too many pairs; at most {MOST_COMPARED} are compared")
    progress = progress or Silent()
    pairs = list(itertools.combinations(fingerprints, 2))
    progress.start("pairs", len(pairs), "pairs")
    found = []
    try:
        for (a, b), lineage in zip(pairs, Threads(processors()).map(_related, pairs), strict=True):
            key = a.sketches.key if a.sketches and b.sketches else None
            found.append(Pair(a.name, b.name, lineage, key, coverage=(a.coverage, b.coverage)))
            progress.advance("pairs", 1)
    finally:
        progress.finish("pairs")
    return tuple(found)


def _related(pair: tuple[Fingerprint, Fingerprint]) -> Lineage:
    return compare_lineage(*pair)


def add_deep(
    pair: Pair, models: Sequence[Path | str], *, settings: Settings | None = None, progress: Progress | None = None
) -> Pair:
    """Read two models and compare them value by value, blocks as their fingerprints map them.

    Raises:
        UsageError: There are not two models, or one is a fingerprint.
        InputError: One is malformed, or holds values that are not finite.
    """
    settings = settings or Settings()
    if len(models) != 2:
        raise UsageError("a deep comparison is of two models", hint="leave --deep out, or name two")
    for model in models:
        if Path(model).suffix == SUFFIX:
            raise UsageError("a deep comparison reads the models, and this is a fingerprint", where=model)
    first, second = (settings.open(model) for model in models)
    found = deep_compare(
        first.view(),
        second.view(),
        engine=Threads(processors()),
        progress=progress or Silent(),
        layer_map=_layer_map(pair.lineage, first, second),
        containers=(first.container, second.container),
        configs=(first.config, second.config),
        key=settings.key,
    )
    return replace(pair, lineage=confirmed(pair.lineage, found), deep=found)


def find_parents(
    child: Path | str,
    candidates: Sequence[Path | str],
    *,
    base: str | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> tuple[str, Mixture]:
    """Explain a model as a mixture of candidates.

    Args:
        child: The model to explain; a model or a `.tgfp`.
        candidates: What it may be made of, likewise.
        base: Name of the candidate that is the common base of the others, if known.
        settings: How to fingerprint models.
        progress: Hears how far it is.

    Returns:
        The child's name, and what it is made of.

    Raises:
        NotFoundError: A model does not exist.
        InputError: One is malformed.
        UsageError: No candidates, an unknown base, two candidates of one name, or different keys.
    """
    made = load_fingerprint(child, settings=settings, progress=progress)
    loaded = [load_fingerprint(each, settings=settings, progress=progress) for each in candidates]
    return made.name, mixture(_sketches(made), _by_name(_named_apart(loaded, candidates)), base)


def tree(
    models: Sequence[Path | str], *, settings: Settings | None = None, progress: Progress | None = None
) -> tuple[Tree, tuple[Pair, ...]]:
    """Return the most likely family tree of models, and the pairwise evidence that it rests on.

    Raises:
        NotFoundError: A model does not exist.
        InputError: One is malformed.
        UsageError: Fewer than two or too many models, two of one name, or different keys.
    """
    loaded = [load_fingerprint(model, settings=settings, progress=progress) for model in models]
    loaded = _named_apart(loaded, models)
    if len(loaded) < 2:
        raise UsageError("a family tree takes two models or more")
    named = _by_name(loaded)
    pairs = relate(loaded, progress=progress)
    links = [(pair.first, pair.second) for pair in pairs if pair.lineage.verdict in LINKED]
    apart = {(pair.first, pair.second): 1 - min(1.0, pair.lineage.effect or 0.0) for pair in pairs}
    return family_tree(named, links, apart), pairs


def _layer_map(lineage: Lineage, first: Model, second: Model) -> dict[int, int] | None:
    """Return block numbers of the first model -> of the second, where the evidence maps any."""
    if lineage.evidence is None or not any(origin is not None for origin in lineage.evidence.layers.origins):
        return None
    ours, theirs = (sorted({w.layer for w in model.view().weights if w.layer is not None}) for model in (first, second))
    return {ours[i]: theirs[j] for i, j in enumerate(lineage.evidence.layers.origins) if j is not None}


def _sketches(fingerprint: Fingerprint) -> Sketches:
    if fingerprint.sketches is None:
        raise UsageError("the fingerprint holds no sketches", where=fingerprint.name, hint="make it again without --no-lineage")
    if is_sampled(fingerprint.sketches):
        raise UsageError("only a sample of this model was read", where=fingerprint.name, hint="make it again without --quick")
    return fingerprint.sketches


def _named_apart(fingerprints: Sequence[Fingerprint], places: Sequence[Path | str]) -> list[Fingerprint]:
    """Give models that are called alike names that tell them apart."""
    names = told_apart([(each.name, place) for each, place in zip(fingerprints, places, strict=True)])
    return [replace(each, name=name) for each, name in zip(fingerprints, names, strict=True)]


def _by_name(fingerprints: Sequence[Fingerprint]) -> dict[str, Sketches]:
    named: dict[str, Sketches] = {}
    for each in fingerprints:
        if each.name in named:
            raise UsageError(f"two models are called {quote(each.name)}", hint="give each once")
        named[each.name] = _sketches(each)
    return named
