"""Tell what is slow on this machine: measure, forecast, advise."""

from pathlib import Path

from tensorguard.api.models import open_model
from tensorguard.api.registry_folder import registry_folder
from tensorguard.diagnosis import card, disk, own, work
from tensorguard.diagnosis.base import Diagnosis, Rate
from tensorguard.diagnosis.extras import extras
from tensorguard.diagnosis.findings import findings
from tensorguard.diagnosis.forecast import SIZES, Size, forecast, size_of
from tensorguard.diagnosis.machine import machine
from tensorguard.diagnosis.reach import reach
from tensorguard.diagnosis.stores import others, registry_store
from tensorguard.errors import InputError, NotFoundError, TensorGuardError
from tensorguard.progress import Progress, Silent
from tensorguard.registry.opening import folder_here

SECONDS = 6.0
"""How long measuring takes, about; starting torch, where there is a card, apart."""

_TASK = "measuring"
_HINT = "give a folder, or a model on this machine"


def diagnose(
    place: Path | str = ".",
    *,
    hub: bool = False,
    registry: Path | str | None = None,
    seconds: float | None = None,
    progress: Progress | None = None,
) -> Diagnosis:
    """Measure this machine.

    Args:
        place: A folder whose disk is measured, or a model, which is then forecast for, too.
        hub: Also ask the hub for an answer; nothing else uses the network.
        registry: Folder of the registry; by default as `registry_folder` says.
        seconds: How long measuring may take, about; `SECONDS` by default.
        progress: Hears of steps.

    Raises:
        NotFoundError: There is no such folder or file.
        InputError: It is something else: a device, a pipe.
    """
    progress, place, seconds = progress or Silent(), Path(place), SECONDS if seconds is None else seconds
    if not place.exists():
        raise NotFoundError("no such folder or file", where=place, hint=_HINT)
    if not (place.is_dir() or place.is_file()):
        raise InputError("neither a folder nor a file", where=place, hint=_HINT)
    progress.start(_TASK, 4 + hub, "steps")
    try:
        found = machine()
        speed = work.measure(found.processors, 0.6 * seconds)
        progress.advance(_TASK, 1)
        read = disk.measure(place, 0.15 * seconds, found.processors)
        progress.advance(_TASK, 1)
        size, rate = _model(place, found.processors, 0.08 * seconds)
        progress.advance(_TASK, 1)
        chosen = card.choose()
        progress.advance(_TASK, 1)
        stores = (registry_store(folder_here(registry_folder(registry))), *others())
        reached = reach() if hub else None
    finally:
        progress.finish(_TASK)
    parts = work.shares(speed)
    most = max(parts, key=parts.__getitem__)
    forecasts = [forecast(each, speed.sweep, speed.sixteen, read, most) for each in SIZES]
    telling = forecasts[1]
    if size is not None:
        telling = forecast(size, rate or speed.sweep, speed.sixteen, read, most)
        forecasts.insert(0, telling)
    said = findings(found, speed, parts, read, chosen, telling, stores)
    return Diagnosis(found, speed, parts, read, chosen, tuple(forecasts), extras(), stores, reached, said)


def _model(place: Path, workers: int, seconds: float) -> tuple[Size | None, Rate | None]:
    """Return the size of a model and how fast its weights are gone through, or nothing of what is no model that can be read."""
    try:
        opened = open_model(place)
        view = opened.view(glance=True)
        nbytes = sum({info.source.name: info.source.size for info in opened.stored}.values())
        return size_of(opened.name, opened.tensors, view, nbytes), own.measure(view.weights, workers, seconds)
    except TensorGuardError:
        return None, None
