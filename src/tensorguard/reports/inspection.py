"""What `inspect` tells, on a page: what a model is, where its bytes are, what a fingerprint would read, what is not understood."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from tensorguard.errors import quote
from tensorguard.inspection.base import Inspection
from tensorguard.reports import inspection_tables as tables
from tensorguard.reports.charts import Headline
from tensorguard.reports.document import Document, Picture, Table
from tensorguard.reports.inspection_facts import adapter_facts, facts, headline
from tensorguard.reports.sizes import numbers, share, short, size

_CAPTION = "Bytes of the model by part, and of every block: what lies outside the blocks stands first (–)."


def report(location: str, notices: Sequence[str], found: Inspection) -> Document:
    """Return the document of one inspection.

    Args:
        location: The model as its user named it.
        notices: Things to know, a sentence each.
        found: What was found.
    """
    told = adapter_facts(found) if found.inventory is None else facts(found)
    shown = [Table("What it is", ("what", "value"), [list(fact) for fact in told])]
    shown += [
        table
        for make in (
            tables.parts, tables.adapter, tables.kinds, tables.components, tables.files, tables.claims, tables.chosen, tables.unknown,
            tables.left_out,
        )
        if (table := make(found)) is not None
    ]  # fmt: skip
    pictures = [Picture("bytes", _CAPTION, partial(_draw, found))] if found.parts else []
    return Document(
        kind="inspect",
        title=f"What {quote(found.name)} holds",
        summary=_summary(found),
        result=found,
        inputs=[{"model": location}],
        notices=[*notices, *_warnings(found)],
        tables=shown,
        pictures=pictures,
        headline=Headline(_word(found), "subject", headline(told)),
    )


def _draw(found: Inspection) -> Any:
    from tensorguard.reports.figures.composition import draw_composition

    return draw_composition(found)


def _summary(found: Inspection) -> str:
    name, stored = quote(found.name), size(found.storage.files)
    held = found.inventory
    if held is None:
        return f"{name}: {_adapter_words(found)}, {stored} in {found.container}."
    bits = 8 * found.storage.parameters / max(1, held.parameters)
    about = f"{held.architecture}, {held.parameters:,} parameters, {held.blocks} blocks, {stored} in {found.container}"
    return f"{name}: {about}, {bits:.3g} bits per parameter."


def _adapter_words(found: Inspection) -> str:
    adapter = found.adapter
    if adapter is None:
        return "nothing"
    rank = f" of rank {numbers(tuple(sorted(set(adapter.rank))))}" if adapter.rank else ""
    return f"an adapter, {quote(adapter.kind)[1:-1] or 'of no stated kind'}{rank}, {adapter.parameters:,} parameters"


def _word(found: Inspection) -> str:
    return f"{short(found.inventory.parameters)} parameters" if found.inventory else "adapter"


def _warnings(found: Inspection) -> list[str]:
    """Say what would stop or weaken a comparison."""
    told = []
    lost = [each for each in found.encodings if not each.decoded]
    if lost:
        names = ", ".join(quote(each.dtype) for each in lost)
        told.append(
            f"{sum(each.tensors for each in lost)} tensors cannot be decoded ({names}): a fingerprint is refused for them."
        )
    if 10 * found.storage.aside > found.storage.tensors:
        aside = share(found.storage.aside, found.storage.tensors)
        told.append(f"{aside} of the bytes of its tensors are left out: a fingerprint would rest on the rest.")
    return told
