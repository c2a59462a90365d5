"""Weights by role, and what is no weight."""

from collections import Counter
from collections.abc import Sequence

from tensorguard.inspection.base import Component, Inventory
from tensorguard.inspection.composition import Member, dtypes_of
from tensorguard.tensors.roles import VECTOR_ROLES, category
from tensorguard.tensors.selection import select
from tensorguard.tensors.view import View

_NOT_LISTED = frozenset({*VECTOR_ROLES, "kernel"})


def inventory(view: View, found: Sequence[Member], per_category: int | None = 3) -> Inventory:
    """List what a canonical view holds.

    Args:
        view: The view.
        found: All its parameters, measured.
        per_category: How many layers of each category a fingerprint would ask; None for all.
    """
    groups: dict[tuple[str, str], list[Member]] = {}
    for each in found:
        if each.role not in _NOT_LISTED:
            groups.setdefault((each.tower, each.role), []).append(each)
    return Inventory(
        architecture=view.architecture,
        parameters=view.parameters,
        blocks=len({w.layer for w in view.weights if w.layer is not None and w.stack in ("decoder", "encoder")}),
        components=tuple(_component(stack, role, members) for (stack, role), members in groups.items()),
        vectors=sum(each.parameters for each in found if each.role in VECTOR_ROLES),
        chosen=tuple(weight.name for weight in select(view.weights, per_category)),
        unknown=view.unknown,
        excluded=view.excluded,
    )


def _component(stack: str, role: str, members: Sequence[Member]) -> Component:
    return Component(
        stack=stack,
        role=role,
        category=category(role),
        weights=len(members),
        parameters=sum(each.parameters for each in members),
        bytes=sum(each.bytes for each in members),
        shapes=tuple(shape for shape, _ in Counter(each.shape for each in members).most_common(3)),
        dtypes=dtypes_of(members),
    )
