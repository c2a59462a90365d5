"""Fingerprint many models, each into files of its own; what was finished before is not done again."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from tensorguard.api.elsewhere import absolute, from_anywhere
from tensorguard.api.faults import Alike, as_error
from tensorguard.api.fingerprints import Settings, fingerprint_opened
from tensorguard.api.listing import Listed, distinct
from tensorguard.api.models import file_stem, model_name
from tensorguard.api.output_folder import OutputFolder
from tensorguard.api.weighing import longest_first, weigh
from tensorguard.engines.base import Finished, Fleet
from tensorguard.engines.inline import Inline
from tensorguard.engines.processes import Processes
from tensorguard.engines.sizing import available_memory, processors, workers_within
from tensorguard.errors import ResourceError, TensorGuardError, UsageError, quote, utf8
from tensorguard.fingerprint.file import SUFFIX
from tensorguard.fingerprint.outcome import FingerprintOutcome, Summary
from tensorguard.formats.adapter import is_adapter
from tensorguard.progress import Progress, Silent, step, tell_over
from tensorguard.sources.names import SCHEME, hub_name, page_name
from tensorguard.sources.object_names import object_address
from tensorguard.sources.places import locate

_FILES = (".safetensors", ".gguf", ".json", ".bin", ".pt", ".pth", ".onnx")


def fingerprint_many(
    models: Sequence[Path | str | Listed],
    output: Path | str,
    *,
    settings: Settings | None = None,
    workers: int | None = None,
    memory: int | None = None,
    force: bool = False,
    progress: Progress | None = None,
    engine: Fleet | None = None,
) -> Iterator[FingerprintOutcome]:
    """Fingerprint models and write `NAME.tgfp` and `NAME_features.json` of each; a bad model does not stop the rest.

    The largest begin first. A model whose worker is killed is tried once more, alone.

    Args:
        models: Where they are; those that are given twice count once.
        output: The folder to write to; made if it does not exist.
        settings: How; the paper's settings by default.
        workers: How many models at a time at most (one model alone: threads); all processors by default. One: in this process.
        memory: Bytes that the workers may take together; by default half of what is free.
        force: Compute also what is there already.
        progress: Hears of models (and, for one model alone, of elements).
        engine: Runs the models; by default processes of this machine, as many as `workers` and `memory` allow.

    Yields:
        An outcome per model, as they are ready.

    Raises:
        UsageError: No model was given, two would write the same file, the output is not a folder, or a base was given and no adapter.
        ResourceError: Many models in a row failed for the same lack of resources (a full disk), or no worker can be started.
    """
    settings, progress = settings or Settings(), progress or Silent()
    folder, wanted = OutputFolder(output), workers or processors()
    listed = distinct(models)
    _require_apart(listed)
    if settings.base is not None and not any(_may_be_adapter(each.place) for each in listed):
        raise UsageError("a base goes with an adapter, and there is none", where=listed[0].place, hint="leave --base out")
    folder.make()
    if len(listed) == 1 and engine is None:
        outcome = _one(listed[0], wanted, folder, settings, force, progress)
        _tell(progress, outcome)
        yield outcome
        return
    fleet = engine or fleet_of(wanted, memory)
    if engine is not None:
        folder, settings = folder.from_anywhere(), from_anywhere(settings)
    sent = listed if engine is None else [Listed(absolute(each.place), each.name) for each in listed]
    sizes = weigh(sent)
    given = {to: (each, size) for to, each, size in zip(sent, listed, sizes, strict=True)}
    work = partial(_quietly, folder=folder, settings=settings, force=force)
    progress.start("models", len(listed), "models")
    progress.event("models", total=len(listed), bytes=sum(sizes), workers=fleet.workers)
    alike = Alike()
    try:
        for finished in fleet.each(work, longest_first(sent, sizes), partial(_begin, progress, given)):
            outcome = replace(_outcome(finished), model=utf8(given[finished.item][0].place))
            outcome = outcome if engine is None else _seen(outcome, folder)
            progress.advance("models", 1)
            _tell(progress, outcome)
            yield outcome
            alike.note(outcome.error)
    finally:
        progress.finish("models")


def fleet_of(wanted: int, memory: int | None) -> Fleet:
    """Return processes of this machine, as many as are wanted and fit into a memory budget (half of what is free by default)."""
    if wanted == 1:
        return Inline()
    return Processes(workers_within(available_memory() // 2 if memory is None else memory, wanted))


def _require_apart(models: Sequence[Listed]) -> None:
    stems: dict[str, Path | str] = {}
    for each in models:
        try:
            stem = file_stem(each.name or _name(each.place))
        except TensorGuardError:
            continue  # it is reported when its turn comes
        if stem in stems:
            raise UsageError(
                f"{quote(stems[stem])} and {quote(each.place)} would both be written as {stem}{SUFFIX}",
                hint="name them apart (in a list: MODEL, a tab, NAME), or write them to two folders",
            )
        stems[stem] = each.place


def _may_be_adapter(place: Path | str) -> bool:
    try:
        return is_adapter(locate(place))
    except TensorGuardError:
        return True  # what is wrong with it is told when its turn comes


def _name(place: Path | str) -> str:
    """Return what a model will be called; of those on servers, of which there may be thousands, by what is written alone."""
    if isinstance(place, str):
        name = page_name(place) if "://" in place and not place.startswith(SCHEME) else hub_name(place)
        if name is not None:
            return str(name)
        address = object_address(place)
        if address is not None and Path(address.key).suffix not in _FILES:
            return address.key.rpartition("/")[2] or address.bucket
    return model_name(place)


def _seen(outcome: FingerprintOutcome, folder: OutputFolder) -> FingerprintOutcome:
    """Return an outcome; a failure, if it was done on a machine whose output is not ours."""
    if outcome.summary is None or folder.holds(outcome.summary.name):
        return outcome
    error = ResourceError(
        "its fingerprint was written, and is not here",
        where=folder.path,
        hint="give an output that all machines share: a network file system's folder, or s3://BUCKET/PREFIX",
    )
    return FingerprintOutcome(outcome.model, "failed", error=error, seconds=outcome.seconds)


def _begin(progress: Progress, given: dict[Listed, tuple[Listed, int]], model: Listed) -> None:
    progress.event("begun", model=utf8(given[model][0].place), size=given[model][1])


def _tell(progress: Progress, outcome: FingerprintOutcome) -> None:
    tell_over(progress, outcome.model, outcome.status, time.monotonic() - outcome.seconds, outcome.error, outcome.nbytes)


def _outcome(finished: Finished[Listed, FingerprintOutcome]) -> FingerprintOutcome:
    if finished.result is not None:
        return finished.result
    place = finished.item.place
    return FingerprintOutcome(utf8(place), "failed", error=as_error(finished.error or RuntimeError("no result"), place))


def _quietly(model: Listed, threads: int, *, folder: OutputFolder, settings: Settings, force: bool) -> FingerprintOutcome:
    """Do one of many; whatever is wrong with it, the others go on."""
    started = time.perf_counter()
    try:
        return _one(model, threads, folder, settings, force, Silent())
    except Exception as error:  # a fault of ours included; see `as_error` for what is told of it
        failure = as_error(error, model.place)
    return FingerprintOutcome(utf8(model.place), "failed", error=failure, seconds=time.perf_counter() - started)


def _one(
    model: Listed, threads: int, folder: OutputFolder, settings: Settings, force: bool, progress: Progress
) -> FingerprintOutcome:
    started, given = time.perf_counter(), utf8(model.place)
    try:
        with step("open", progress):
            opened = settings.open(model.place)
        if model.name:
            opened = replace(opened, name=utf8(model.name))
        result = None if force else folder.earlier(opened, settings)
        earlier = result is not None
        if result is None:
            result = fingerprint_opened(opened, settings, threads, progress)
            folder.write(result)
    except TensorGuardError as error:
        return FingerprintOutcome(given, "failed", error=error, seconds=time.perf_counter() - started)
    return FingerprintOutcome(
        given,
        "finished before" if earlier else "done",
        Summary.of(result),
        seconds=time.perf_counter() - started,
        nbytes=0 if earlier else sum(info.nbytes for info in opened.stored),
        read=partial(folder.read, result.name),
    )
