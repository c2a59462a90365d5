"""What `inspect` tells: what a model holds, how its parts were recognised, and what a fingerprint would read."""

from collections.abc import Sequence

from tensorguard.errors import quote
from tensorguard.fingerprint.inventory import Inventory
from tensorguard.reports.document import Cell, Document, Table

_MOST_LISTED = 50


def report(name: str, location: str, container: str, notices: Sequence[str], found: Inventory) -> Document:
    """Return the document of one inspection."""
    components: list[list[Cell]] = [
        [
            c.stack,
            c.role,
            c.category,
            c.weights,
            c.parameters,
            ", ".join(f"{m} x {d}" for m, d in c.shapes),
            ", ".join(c.dtypes),
        ]
        for c in found.components
    ]
    headings = ("tower", "role", "category", "weights", "parameters", "shapes", "stored as")
    tables = [
        Table("Weights", headings, components, f"{found.vectors:,} more numbers are in norms, biases and other vectors."),
        Table("What the paper's fingerprint would read", ("tensor",), [[tensor] for tensor in found.chosen]),
    ]
    if found.unknown:
        tables.append(_listed("Names that no table knows", [(tensor, "") for tensor in found.unknown]))
    if found.excluded:
        tables.append(_listed("Not parameters", found.excluded))
    return Document(
        kind="inspect",
        title=f"What {quote(name)} holds",
        summary=f"{quote(name)}: {found.architecture}, {found.parameters:,} parameters, {found.blocks} blocks, in {container}.",
        result={"name": name, "container": container, "inventory": found},
        inputs=[{"model": location}],
        notices=notices,
        tables=tables,
    )


def _listed(title: str, items: Sequence[tuple[str, str]]) -> Table:
    note = f"{len(items) - _MOST_LISTED} more; --json lists all." if len(items) > _MOST_LISTED else ""
    return Table(title, ("tensor", "why"), [list(item) for item in items[:_MOST_LISTED]], note)
