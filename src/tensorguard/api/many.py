"""Fingerprint many models, each into files of its own; what was finished before is not done again."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from tensorguard.api.fingerprints import Settings, fingerprint_opened
from tensorguard.api.models import file_stem, model_name
from tensorguard.api.output_folder import OutputFolder
from tensorguard.engines.base import Engine
from tensorguard.engines.inline import Inline
from tensorguard.engines.processes import Processes
from tensorguard.engines.sizing import available_memory, processors, workers_within
from tensorguard.errors import TensorGuardError, UsageError, quote, utf8
from tensorguard.fingerprint.file import SUFFIX
from tensorguard.fingerprint.outcome import FingerprintOutcome
from tensorguard.formats.adapter import is_adapter
from tensorguard.progress import Progress, Silent
from tensorguard.sources.places import locate


def fingerprint_many(
    models: Sequence[Path | str],
    output: Path | str,
    *,
    settings: Settings | None = None,
    workers: int | None = None,
    memory: int | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Iterator[FingerprintOutcome]:
    """Fingerprint models and write `NAME.tgfp` and `NAME_features.json` of each; a bad model does not stop the rest.

    Args:
        models: Where they are.
        output: The folder to write to; made if it does not exist.
        settings: How; the paper's settings by default.
        workers: How many models at a time at most (one model alone: threads); all processors by default.
        memory: Bytes that the workers may take together; by default half of what is free.
        force: Compute also what is there already.
        progress: Hears of models (and, for one model alone, of elements).

    Yields:
        An outcome per model, in the order given.

    Raises:
        UsageError: Two models would write the same file, the output is not a folder, or a base was given and no adapter.
        ResourceError: A worker was killed.
    """
    settings, progress = settings or Settings(), progress or Silent()
    folder, wanted = OutputFolder(Path(output)), workers or processors()
    _require_distinct(models)
    if settings.base is not None and not any(is_adapter(locate(model)) for model in models):
        raise UsageError("a base goes with an adapter, and there is none", where=models[0], hint="leave --base out")
    folder.make()
    if len(models) == 1:
        yield _one(models[0], folder, settings, wanted, force, progress)
        return
    count = workers_within(available_memory() // 2 if memory is None else memory, wanted)
    engine: Engine = Processes(count) if count > 1 else Inline()
    work = partial(_quietly, folder=folder, settings=settings, force=force)
    progress.start("models", len(models), "models")
    try:
        for outcome in engine.map(work, models):
            progress.advance("models", 1)
            yield outcome
    finally:
        progress.finish("models")


def _require_distinct(models: Sequence[Path | str]) -> None:
    stems: dict[str, Path | str] = {}
    for model in models:
        try:
            stem = file_stem(model_name(model))
        except TensorGuardError:
            continue  # it is reported when its turn comes
        if stem in stems:
            raise UsageError(
                f"{quote(stems[stem])} and {quote(model)} would both be written as {stem}{SUFFIX}",
                hint="name them apart, or write them to two folders",
            )
        stems[stem] = model


def _quietly(model: Path | str, *, folder: OutputFolder, settings: Settings, force: bool) -> FingerprintOutcome:
    return _one(model, folder, settings, 1, force, Silent())


def _one(
    model: Path | str, folder: OutputFolder, settings: Settings, workers: int, force: bool, progress: Progress
) -> FingerprintOutcome:
    try:
        opened = settings.open(model)
        earlier = None if force else folder.earlier(opened, settings)
        if earlier is not None:
            return FingerprintOutcome(utf8(model), "finished before", earlier)
        result = fingerprint_opened(opened, settings, workers, progress)
        folder.write(result)
    except TensorGuardError as error:
        return FingerprintOutcome(utf8(model), "failed", error=error)
    return FingerprintOutcome(utf8(model), "done", result)
