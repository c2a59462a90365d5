"""A deep comparison as tables: role by role, what has no partner, what disguise was undone."""

from tensorguard.errors import quote
from tensorguard.lineage.deep.base import Deep
from tensorguard.lineage.deep.recovered import Recovery
from tensorguard.lineage.pair import Pair
from tensorguard.reports.document import Cell, Table

_MOST_LISTED = 20
_READING = (
    "Both models were read. Cosine: mean and least over the tensors of a role; difference: median of |A - B| / |B|; rank: of the "
    "difference, where it is low."
)


def tables(pair: Pair, found: Deep) -> list[Table]:
    """Return what reading both models found."""
    made = [_roles(found)]
    if found.recovery is not None:
        made += [_basis(found.recovery), _blocks(pair, found.recovery)]
    for name, left in ((pair.first, found.unmatched), (pair.second, found.unmatched_second)):
        if left:
            note = f"{len(left) - _MOST_LISTED} more; --json lists all." if len(left) > _MOST_LISTED else ""
            made.append(
                Table(f"Without a partner, in {quote(name)}", ("tensor",), [[each] for each in left[:_MOST_LISTED]], note)
            )
    return made


def _roles(found: Deep) -> Table:
    rows: list[list[Cell]] = [
        [
            each.role,
            each.compared,
            ", ".join(f"{count} {kind}" for kind, count in each.kinds),
            each.cosine,
            each.least,
            each.difference,
            each.rank,
        ]
        for each in found.roles
    ]
    return Table("Value by value", ("role", "tensors", "kinds", "cosine", "least", "difference", "rank"), rows, _READING)


def _basis(found: Recovery) -> Table:
    basis = found.basis
    rows: list[list[Cell]] = [
        ["residual basis", basis.change],
        ["directions moved, with another sign", f"{basis.moved}, {basis.flipped}"],
        ["agreement on tokens it was not fitted on", basis.agreement],
        ["log10 of the bound on chance", basis.ln_p / 2.302585092994046 + 0.0],
        ["undone", ", ".join(found.disguises) or "nothing"],
        *_undone(found),
    ]
    return Table(
        "The disguise", ("what", "found"), rows, "The bound holds if the basis were drawn at random (Haar): see docs/method.md."
    )


def _undone(found: Recovery) -> list[list[Cell]]:
    return [[f"cosine of {role}, undone", cosine] for role, cosine in found.roles]


def _blocks(pair: Pair, found: Recovery) -> Table:
    rows: list[list[Cell]] = [
        [
            f"{each.layer} <- {each.other_layer}",
            f"{each.neurons:.0%} of {min(each.neuron_counts)}",
            f"{each.neurons_moved:.0%}",
            f"{each.heads:.0%} of {min(each.head_counts)}",
            f"{each.heads_moved:.0%}",
            ", ".join(f"{name} {cosine:.2f}" for name, cosine in each.operators),
        ]
        for each in found.blocks
    ]
    headings = ("block", "neurons matched", "moved", "heads matched", "moved", "operators")
    title = f"Blocks of {quote(pair.first)} <- of {quote(pair.second)}, undone"
    return Table(title, headings, rows)
