"""Trained matrices that two models have in common, as a table."""

from tensorguard.errors import quote
from tensorguard.lineage.identity import Identity
from tensorguard.reports.document import Cell, Table

_NOTE = (
    "Values are compared by digest, as float32 in canonical order, so names, order, sharding, container and lossless casts do not "
    "matter. Equal trained weights are certain evidence of copying; none equal proves nothing, since any fine-tune changes them."
)


def table(first: str, second: str, found: Identity) -> Table:
    """Return the equal trained matrices of two models, role by role."""
    rows: list[list[Cell]] = [[each.role, each.equal, each.first, each.second] for each in found.roles]
    return Table("Equal trained matrices", ("role", "equal", f"in {quote(first)}", f"in {quote(second)}"), rows, _NOTE)
