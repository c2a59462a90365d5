"""Fingerprints of a sample that grows while a verdict is open: what a model on a server costs is what the answer needs."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tensorguard.api.models import Model, locating_errors
from tensorguard.api.registry_folder import registered_name
from tensorguard.engines.threads import Threads
from tensorguard.fingerprint import extract
from tensorguard.fingerprint.base import Coverage, Fingerprint
from tensorguard.fingerprint.features import SUFFIX as FEATURES_SUFFIX
from tensorguard.fingerprint.file import SUFFIX
from tensorguard.fingerprint.plan import Plan, growing, kept
from tensorguard.fingerprint.sweep import Sweep
from tensorguard.probes.anchors import ANCHOR_WORDS
from tensorguard.progress import Progress
from tensorguard.sources.places import locate
from tensorguard.sources.remote import RemotePath
from tensorguard.tensors.folding import folds
from tensorguard.tensors.grouping import HeadDimensions
from tensorguard.tensors.view import View

if TYPE_CHECKING:
    from tensorguard.api.fingerprints import Settings

_REQUESTS = 6
"""Pieces that are asked for at a time: rows are small and cost a round trip each, but of whole matrices each takes 40 MB of memory."""


def is_quick(model: Path | str, settings: "Settings") -> bool:
    """Say whether a model is to be sampled: as the settings say, or else where its weights lie on a server."""
    if registered_name(model) is not None:
        return False
    path = locate(model)
    if path.suffix == SUFFIX or path.name.endswith(FEATURES_SUFFIX):
        return False
    places = [path] if settings.base is None else [path, locate(settings.base)]
    return any(isinstance(each, RemotePath) for each in places) if settings.quick is None else settings.quick


def sampled_fingerprint(model: Model | Path | str, settings: "Settings", progress: Progress) -> Fingerprint:
    """Return a fingerprint of a sample that does not grow, to be kept and compared with others: see `fingerprint.plan.kept`.

    Raises:
        NotFoundError: There is no such model.
        InputError: It is malformed, or holds nothing to analyse.
    """
    opened = model if isinstance(model, Model) else settings.open(model)
    view = opened.view(glance=True)
    return next(_sampled(opened, view, [kept(view)], settings, progress))


def growing_fingerprints(model: Path | str, settings: "Settings", progress: Progress) -> Iterator[Fingerprint]:
    """Yield fingerprints of larger and larger samples (`fingerprint.plan.growing`); whoever has seen enough stops asking.

    Raises:
        NotFoundError: There is no such model.
        InputError: It is malformed, or holds nothing to analyse.
    """
    opened = settings.open(model)
    view = opened.view(glance=True)
    plans = list(growing(view))
    yield from _sampled(opened, view, [plan for plan in plans if not plan.words], settings, progress)
    yield from _sampled(opened, view, [plan for plan in plans if plan.words], settings, progress)


def _sampled(model: Model, view: View, plans: list[Plan], settings: "Settings", progress: Progress) -> Iterator[Fingerprint]:
    """Yield a fingerprint per plan; the plans share one sweep, so nothing is read twice."""
    if not plans:
        return
    with locating_errors(model):
        empty = extract.without_features(model.name, view, settings.specification)
        words = model.vocabulary.find(ANCHOR_WORDS) if plans[-1].words else None
        sweep = Sweep(
            view,
            folds(plans[-1].norms(view), model.container),
            HeadDimensions(view, model.config, model.container),
            () if words is None else words.numbers,
            engine=Threads(_REQUESTS),
            products=settings.products(),
            progress=progress,
            key=settings.key,
            skip_nonfinite=settings.skip_nonfinite,
        )
    for plan in plans:
        with locating_errors(model):
            swept = sweep.sample(plan)
        notices = (*model.notices, *empty.notices, *([words.notice] if words and words.notice else []), *swept.notices)
        yield replace(
            empty,
            header_digest=model.header_digest,
            notices=tuple(dict.fromkeys(notices)),
            digests=swept.digests,
            sketches=swept.sketches,
            coverage=_coverage(plan, view),
        )


def _coverage(plan: Plan, view: View) -> Coverage:
    return Coverage(len(plan.rows), len(plan.whole), len(view.weights), plan.elements, view.parameters, plan.words)
