"""What comparing a model would read of it, by the plans that `fingerprint` makes from headers."""

from collections.abc import Sequence

from tensorguard.fingerprint.plan import Plan, growing
from tensorguard.inspection.base import Reading
from tensorguard.inspection.composition import Member
from tensorguard.tensors.view import View


def reading(view: View, found: Sequence[Member]) -> tuple[Reading, ...]:
    """Return what a full and a quick comparison read.

    A full one reads every weight and vector. A quick one grows a sample while its verdict is open: at least the first plan, at most the
    last.

    Args:
        view: The canonical view.
        found: All its parameters, measured; its weights first, in order.
    """
    whole = sum(each.bytes for each in found if each.group != "convolutions")
    full = Reading("full", whole, whole)
    steps = [min(whole, _bytes(plan, found[: len(view.weights)])) for plan in growing(view) if plan.elements]
    return (full, Reading("quick", steps[0], steps[-1])) if steps else (full,)


def _bytes(plan: Plan, weights: Sequence[Member]) -> int:
    """Return about how many bytes a plan reads: its numbers, at what one takes on average in the weights that it asks."""
    asked = [weights[index] for index in plan.rows | plan.whole]
    return plan.elements * sum(each.bytes for each in asked) // max(1, sum(each.parameters for each in asked))
