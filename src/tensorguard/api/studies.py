"""Sensitivity of layers, and one unified file."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tensorguard.api.fingerprints import Settings
from tensorguard.api.models import Model, file_stem, locating_errors, model_name
from tensorguard.engines.sizing import processors
from tensorguard.engines.threads import Threads
from tensorguard.errors import TensorGuardError, UsageError, utf8
from tensorguard.family.sensitivity import SensitivityAnalysis, analyse
from tensorguard.family.sensitivity_comparison import SensitivityComparison, compare_sensitivity
from tensorguard.fingerprint import sensitivity as measuring
from tensorguard.fingerprint.sensitivity import SensitivitySettings
from tensorguard.formats.adapter import is_adapter
from tensorguard.formats.atomic import make_folder
from tensorguard.merge import write as merging
from tensorguard.merge.outcome import MergeOutcome
from tensorguard.progress import Progress, Silent, tell_over
from tensorguard.sources.kept import KEPT
from tensorguard.sources.places import locate


def sensitivity(
    model: Model | Path | str,
    *,
    asked: SensitivitySettings | None = None,
    settings: Settings | None = None,
    workers: int | None = None,
    top: int = 5,
    progress: Progress | None = None,
) -> SensitivityAnalysis:
    """Measure how strongly each layer answers each kind of noise (paper, RQ2).

    Args:
        model: An opened model, or where it is.
        asked: Which inputs and layers.
        settings: The device, an adapter's base, and what to do with values that are not finite.
        workers: How many threads; all processors by default.
        top: How many layers to list at each end.
        progress: Hears how far it is.

    Raises:
        NotFoundError: There is no such model.
        InputError: It is malformed, or holds none of the layers asked for.
    """
    settings = settings or Settings()
    opened = model if isinstance(model, Model) else settings.open(model)
    with locating_errors(opened), KEPT.scope(), KEPT.recording():  # weights are read twice
        measured = measuring.sensitivity(
            opened.name,
            opened.view().weights,
            asked or SensitivitySettings(),
            engine=Threads(workers or processors()),
            products=settings.products(),
            progress=progress or Silent(),
            skip_nonfinite=settings.skip_nonfinite,
        )
    return analyse(measured, top)


def compare_sensitivities(
    analyses: Sequence[SensitivityAnalysis], *, strategy: str = measuring.MIXTURE, score: str = "gain"
) -> SensitivityComparison:
    """Align several models by role and layer, and by relative depth; see `family.sensitivity_comparison`.

    Raises:
        UsageError: There are fewer than two, or they were not asked the same.
    """
    return compare_sensitivity(analyses, strategy, score)


def merge_many(
    models: Sequence[Path | str],
    output: Path | str,
    *,
    base: Path | str | None = None,
    search: Sequence[Path | str] = (),
    dtype: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Iterator[MergeOutcome]:
    """Write each model as one safetensors file; a bad model does not stop the rest.

    Args:
        models: Checkpoints in shards, or adapters; here or on servers.
        output: A file ending in `.safetensors` for one model, else a folder for `NAME.safetensors` of each.
        base: The base of all that are adapters.
        search: Folders in which an adapter's base may be looked for.
        dtype: What quantised tensors of GGUF files are decoded to: F32, F16 or BF16.
        force: Write also what is there already.
        progress: Hears of bytes written.

    Yields:
        An outcome per model, in the order given.

    Raises:
        UsageError: Two models would write one file.
    """
    targets = _targets(models, Path(output))
    progress = progress or Silent()
    for model, target in zip(models, targets, strict=True):
        began = time.monotonic()
        progress.event("begun", model=utf8(model))
        try:
            result = merging.merge(
                place := locate(model),
                target,
                base=locate(base) if base is not None and is_adapter(place) else None,
                search=[Path(folder) for folder in search],
                dtype=dtype,
                force=force,
                progress=progress,
            )
        except TensorGuardError as error:
            tell_over(progress, utf8(model), "failed", began, error)
            yield MergeOutcome(utf8(model), error=error)
        else:
            status, written = ("finished before", 0) if result.skipped else ("done", result.nbytes)
            tell_over(progress, utf8(model), status, began, nbytes=written)
            yield MergeOutcome(utf8(model), result)


def _targets(models: Sequence[Path | str], output: Path) -> list[Path]:
    if output.suffix == ".safetensors":
        if len(models) > 1:
            raise UsageError("several models cannot go into one file", where=output, hint="give a folder")
        make_folder(output.parent)
        return [output]
    make_folder(output)
    stems = [file_stem(model_name(model)) for model in models]
    twice = next((stem for stem in stems if stems.count(stem) > 1), None)
    if twice:
        raise UsageError(f"two models would be written as {twice}.safetensors", hint="merge them in two calls")
    return [output / f"{stem}.safetensors" for stem in stems]
