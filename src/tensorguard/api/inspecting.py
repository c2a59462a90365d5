"""What a model holds, from headers alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tensorguard.api.models import open_model
from tensorguard.errors import quote, utf8
from tensorguard.formats.adapter import is_adapter, read_adapter
from tensorguard.inspection.adapter import contents
from tensorguard.inspection.base import Inspection, Traffic
from tensorguard.inspection.inspect import inspect_adapter, inspect_model
from tensorguard.sources.places import locate
from tensorguard.sources.remote import Location
from tensorguard.sources.traffic import TRAFFIC


@dataclass(frozen=True, slots=True)
class Inspected:
    """A model that was looked at.

    Attributes:
        location: Where it is.
        notices: Things to know, a sentence each.
        found: What it holds.
    """

    location: str
    notices: tuple[str, ...]
    found: Inspection


def inspect(model: Location | str, *, base: Location | str | None = None, search: Sequence[Path | str] = ()) -> Inspected:
    """Tell from headers what a model holds and what would be read; only what ties leave open is compared by value.

    An adapter is looked at on its base if that is given or found, else alone.

    Args:
        model: Where it is.
        base: The base model, if it is an adapter.
        search: Folders in which an adapter's base may be looked for.

    Raises:
        NotFoundError: There is no such model, or no base in `search`.
        InputError: It is malformed.
    """
    before = TRAFFIC.read
    place = locate(model)
    adapter = is_adapter(place) if place.exists() else False
    inspected = _adapter(place) if adapter and base is None and not search else _model(place, base, search, adapter)
    read = TRAFFIC.read - before
    if not read:
        return inspected
    return replace(inspected, found=replace(inspected.found, traffic=Traffic(read, TRAFFIC.offered)))


def _model(place: Location, base: Location | str | None, search: Sequence[Path | str], adapter: bool) -> Inspected:
    opened = open_model(place, base=base, search=search)
    files = read_adapter(place) if adapter else None
    view = opened.view(glance=True)
    found = inspect_model(
        opened.name,
        opened.container,
        opened.tensors,
        opened.stored,
        opened.config,
        view,
        None if files is None else contents(files.config, files.tensors),
    )
    return Inspected(opened.location, tuple(dict.fromkeys((*opened.notices, *view.notices))), found)


def _adapter(place: Location) -> Inspected:
    files = read_adapter(place)
    found = contents(files.config, files.tensors)
    container = "pytorch" if files.tensors and not files.tensors[0].source.name.endswith(".safetensors") else "safetensors"
    named = f"; its configuration names {quote(found.base)}, which was not looked for" if found.base else ""
    notice = f"An adapter by itself: --base BASE shows it on its base{named}."
    return Inspected(utf8(place), (*files.notices, notice), inspect_adapter(utf8(files.name), container, files.tensors, found))
