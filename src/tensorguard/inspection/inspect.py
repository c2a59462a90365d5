"""From an opened model, or an adapter alone, to everything that headers tell of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from tensorguard.formats.base import TensorInfo
from tensorguard.inspection.adapter import AdapterContents
from tensorguard.inspection.base import Inspection, Storage
from tensorguard.inspection.claims import claims, experts_used
from tensorguard.inspection.composition import blocks, encodings, kinds, members, parts
from tensorguard.inspection.dimensions import dimensions
from tensorguard.inspection.files import files
from tensorguard.inspection.footprint import Footprints
from tensorguard.inspection.inventory import inventory
from tensorguard.inspection.reading import reading
from tensorguard.inspection.recognition import recognition
from tensorguard.tensors.base import Stored
from tensorguard.tensors.view import View

_COPY = "same values as"
_KERNEL = "that is no matrix and no stack of experts"
"""How the view's reasons begin, or end, for what it leaves out: the values are there again, or they are parameters in another form."""


def inspect_model(
    name: str,
    container: str,
    tensors: Sequence[Stored],
    infos: Sequence[TensorInfo],
    config: Mapping[str, Any],
    view: View,
    adapter: AdapterContents | None = None,
) -> Inspection:
    """Measure a model.

    Args:
        name: What to call it.
        container: What it was read from.
        tensors: What its tensors mean, packed and adapted ones as one each.
        infos: All tensors of its files, an adapter's included.
        config: Its own configuration.
        view: The canonical view of `tensors`.
        adapter: What its adapter's files hold, if it is one on a base.
    """
    footprints = Footprints()
    reasons = dict(view.excluded)
    kernels = [stored for stored in tensors if reasons.get(stored.name, "").endswith(_KERNEL)]
    found = members(view, kernels, footprints)
    said = claims(config)
    held = files(infos)
    parameters = sum(each.bytes for each in found)
    excluded = [(stored, reasons[stored.name]) for stored in tensors if stored.name in reasons]
    copies = sum(footprints.of(stored) for stored, reason in excluded if reason.startswith(_COPY))
    aside = sum(
        footprints.of(stored) for stored, reason in excluded if not (reason.startswith(_COPY) or reason.endswith(_KERNEL))
    )
    total = sum(each.tensor_bytes for each in held)
    return Inspection(
        name=name,
        container=container,
        recognition=recognition(view, found, config),
        claims=said,
        dimensions=dimensions(view, config, container, experts_used(said)),
        inventory=inventory(view, found),
        parts=parts(found),
        blocks=blocks(found),
        kinds=kinds(found),
        encodings=encodings(found),
        files=held,
        storage=Storage(
            files=sum(each.bytes for each in held),
            tensors=total,
            parameters=parameters,
            copies=copies,
            aside=aside,
        ),
        reading=reading(view, found),
        adapter=adapter,
        traffic=None,
    )


def inspect_adapter(name: str, container: str, infos: Sequence[TensorInfo], found: AdapterContents) -> Inspection:
    """Measure an adapter without its base."""
    held = files(infos)
    total = sum(each.tensor_bytes for each in held)
    return Inspection(
        name=name,
        container=container,
        recognition=(),
        claims=(),
        dimensions=None,
        inventory=None,
        parts=(),
        blocks=(),
        kinds=(),
        encodings=(),
        files=held,
        storage=Storage(sum(each.bytes for each in held), total, total, 0, 0),
        reading=(),
        adapter=found,
        traffic=None,
    )
