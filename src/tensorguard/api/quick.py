"""Comparisons of models of which no more is read than the answer takes."""

from collections.abc import Iterator
from pathlib import Path

from tensorguard.api.fingerprints import Settings
from tensorguard.api.loading import load_fingerprint
from tensorguard.api.sampling import growing_fingerprints, is_quick
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.lineage.verdict import LINKED, Lineage, compare_lineage
from tensorguard.progress import Progress

DECIDED = -9.0
"""log10 of the corrected p-value of a link from which on no more is read."""


def is_decided(lineage: Lineage) -> bool:
    """Say whether reading more would hardly change the answer: models are linked beyond doubt, or every effect is excluded."""
    linked = lineage.verdict in LINKED and lineage.log10_p <= DECIDED
    return linked or lineage.verdict == "independent"


def sampled_pair(
    models: tuple[Path | str, Path | str], settings: Settings, progress: Progress
) -> tuple[Fingerprint, Fingerprint]:
    """Return the fingerprints of two models, of which one or both are sampled until it is decided how they are related.

    Raises:
        NotFoundError: One does not exist.
        InputError: One is malformed.
        UsageError: They are fingerprints of different keys.
    """
    streams = [_stream(model, settings, progress) for model in models]
    first, second = (next(stream) for stream in streams)
    while not is_decided(compare_lineage(first, second)):
        more = [next(stream, None) for stream in streams]
        if not any(more):
            break
        first, second = more[0] or first, more[1] or second
    return first, second


def _stream(model: Path | str, settings: Settings, progress: Progress) -> Iterator[Fingerprint]:
    if is_quick(model, settings):
        return growing_fingerprints(model, settings, progress)
    return iter([load_fingerprint(model, settings=settings, progress=progress)])
