"""A model's fingerprint, wherever it is to be had: from its file, the registry, or the model itself."""

from pathlib import Path

from tensorguard.api.fingerprints import Settings, fingerprint_model
from tensorguard.api.registered import registered_fingerprint
from tensorguard.api.registry_folder import registered_name
from tensorguard.errors import UsageError
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.features import SUFFIX as FEATURES_SUFFIX
from tensorguard.fingerprint.fetched import read_fingerprint_at
from tensorguard.fingerprint.file import SUFFIX
from tensorguard.progress import Progress
from tensorguard.sources.places import locate


def load_fingerprint(
    model: Path | str, *, settings: Settings | None = None, progress: Progress | None = None, workers: int | None = None
) -> Fingerprint:
    """Return a model's fingerprint: read from a `.tgfp` or, as `registry:NAME`, from the registry, or made now, of all its weights.

    Raises:
        NotFoundError: There is no such file, model, registry or entry.
        InputError: It is malformed.
        UsageError: It is a features file, which holds the 16 numbers alone.
    """
    settings, name = settings or Settings(), registered_name(model)
    if name is not None:
        return registered_fingerprint(name, settings.registry, settings.key.identity())
    path = locate(model)
    if path.name.endswith(FEATURES_SUFFIX):
        raise UsageError("the 16 numbers say nothing about descent", where=path, hint="give the model or its .tgfp")
    if path.suffix == SUFFIX:
        return read_fingerprint_at(path)
    return fingerprint_model(model, settings=settings, progress=progress, workers=workers)
