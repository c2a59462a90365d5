"""What equal tensors prove, in words and tables."""

from collections.abc import Sequence

from tensorguard.errors import quote
from tensorguard.lineage.identity import Identity
from tensorguard.reports.document import Cell, Table

Pair = tuple[str, str, Identity]
"""Two models' names, and what their digests prove."""

_NOTE = (
    "Values are compared by digest, as float32 in canonical order, so names, order, sharding, container and lossless casts do not "
    "matter. Equal trained weights are certain evidence of copying; none equal proves nothing, since any fine-tune changes them."
)


def sentence(pair: Pair) -> str:
    """Return what the digests of two models prove."""
    first, second, found = pair
    names = f"{quote(first)} and {quote(second)}"
    if found.verdict == "same-weights":
        return f"{names} hold the same weights: all {found.equal} trained matrices are equal (certain)."
    if found.verdict == "shares-components":
        moved = f", {found.moved} of them in another block" if found.moved else ""
        share = f"{found.equal} of {found.comparable} trained matrices"
        return (
            f"{names} share components: {share} are equal{moved} (certain: one was made from the other, or both from a third)."
        )
    return f"{names} share no trained matrix, so digests cannot tell whether one derives from the other (inconclusive)."


def of_pair(pair: Pair) -> Table:
    """Return the table of two models, role by role."""
    first, second, found = pair
    rows: list[list[Cell]] = [[each.role, each.equal, each.first, each.second] for each in found.roles]
    return Table("Equal trained matrices", ("role", "equal", f"in {quote(first)}", f"in {quote(second)}"), rows, _NOTE)


def of_many(pairs: Sequence[Pair]) -> Table:
    """Return the table of all pairs that share a trained matrix."""
    rows: list[list[Cell]] = [[a, b, found.verdict, f"{found.equal} of {found.comparable}"] for a, b, found in pairs]
    return Table("Models that share trained matrices", ("model", "model", "verdict", "equal"), rows, _NOTE)
