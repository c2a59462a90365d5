"""What a model holds and what a fingerprint of it would read, from headers alone."""

from collections import Counter
from dataclasses import dataclass

from tensorguard.tensors.roles import category
from tensorguard.tensors.selection import select
from tensorguard.tensors.view import View


@dataclass(frozen=True, slots=True)
class Component:
    """All weights of one role in one tower.

    Attributes:
        stack: decoder, encoder, vision, ...
        role: What they do.
        category: The paper's category.
        weights: How many there are.
        parameters: How many numbers they hold.
        shapes: The commonest shapes, (out, in), at most three.
        dtypes: How they are stored.
    """

    stack: str
    role: str
    category: str
    weights: int
    parameters: int
    shapes: tuple[tuple[int, int], ...]
    dtypes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a model holds.

    Attributes:
        architecture: The naming scheme that fits, or `unknown`.
        parameters: Unique parameters.
        blocks: How many blocks the language model has.
        components: Weights by tower and role, in canonical order.
        vectors: Numbers in norms, biases and other vectors.
        chosen: Names of the weights that the paper's fingerprint would read.
        unknown: Names that no table knows.
        excluded: (name, reason) of what is no parameter.
    """

    architecture: str
    parameters: int
    blocks: int
    components: tuple[Component, ...]
    vectors: int
    chosen: tuple[str, ...]
    unknown: tuple[str, ...]
    excluded: tuple[tuple[str, str], ...]


def inventory(view: View, per_category: int | None = 3) -> Inventory:
    """List what a canonical view holds.

    Args:
        view: The view.
        per_category: How many layers of each category a fingerprint would ask; None for all.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    for index, weight in enumerate(view.weights):
        groups.setdefault((weight.stack, weight.role), []).append(index)
    components = []
    for (stack, role), members in groups.items():
        weights = [view.weights[index] for index in members]
        shapes = Counter(weight.shape for weight in weights)
        components.append(
            Component(
                stack=stack,
                role=role,
                category=category(role),
                weights=len(weights),
                parameters=sum(rows * columns for rows, columns in (weight.shape for weight in weights)),
                shapes=tuple(shape for shape, _ in shapes.most_common(3)),
                dtypes=tuple(sorted({weight.stored.dtype for weight in weights})),
            )
        )
    matrices = sum(component.parameters for component in components)
    return Inventory(
        architecture=view.architecture,
        parameters=view.parameters,
        blocks=len({w.layer for w in view.weights if w.layer is not None and w.stack in ("decoder", "encoder")}),
        components=tuple(components),
        vectors=max(0, view.parameters - matrices),
        chosen=tuple(weight.name for weight in select(view.weights, per_category)),
        unknown=view.unknown,
        excluded=view.excluded,
    )
