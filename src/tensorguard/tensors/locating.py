"""From tensors to places, tower by tower: by names where a table fits, else by shapes and repetition."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tensorguard.tensors.anonymous import tell_roles
from tensorguard.tensors.architectures import is_number
from tensorguard.tensors.base import Stored
from tensorguard.tensors.heads import Heads
from tensorguard.tensors.naming import Naming, place_by_name
from tensorguard.tensors.placing import Placed
from tensorguard.tensors.splitting import settle_gating
from tensorguard.tensors.structure import place_by_structure
from tensorguard.tensors.towers import LANGUAGE, OTHER, beside, by_tower

BY_STRUCTURE = "unknown"
"""The architecture where no table fits and shapes alone decided."""

_ROWS = 3
"""Rows of blocks that a tower may have, each by its own name: of another eye, or global ones."""


@dataclass(frozen=True, slots=True)
class Located:
    """Where all tensors are.

    Attributes:
        architecture: The table that fitted the language model, or `unknown`.
        placed: Every tensor.
        unknown: Names that the chosen tables do not know.
        notices: What a user should know, one sentence each.
    """

    architecture: str
    placed: tuple[Placed, ...]
    unknown: tuple[str, ...]
    notices: tuple[str, ...]


def locate(tensors: Sequence[Stored], types: frozenset[str], heads: Heads) -> Located:
    """Find the place of every tensor that may be a weight.

    Args:
        tensors: Of one model, buffers taken out.
        types: What the configuration calls the architecture.
        heads: Checked hints.

    Raises:
        InputError: Bytes that had to be read cannot be.
    """
    towers = by_tower(tensors)
    members = towers.pop(LANGUAGE)
    naming = place_by_name(members, types)
    notices: list[str] = []
    if naming is None:
        everything, notices = tell_roles(place_by_structure(members), heads)
        unknown: list[Stored] = []
    else:
        stack = Counter(p.stack for p in naming.placed).most_common(1)[0][0]
        apart, unknown = _blocks_apart(naming, stack)
        everything = [*settle_gating(naming.placed), *(_stranger(stored, stack) for stored in unknown)]
        for name, blocks in apart.items():
            towers[name] = [*towers.get(name, ()), *blocks]
    names = [stored.name for stored in unknown]
    for tower, members in towers.items():
        placed, strange = _tower(members, types)
        everything.extend(replace(p, stack=tower) for p in placed)
        names.extend(strange)
    return Located(naming.architecture if naming else BY_STRUCTURE, tuple(everything), tuple(names), tuple(notices))


def _tower(members: Sequence[Stored], types: frozenset[str]) -> tuple[list[Placed], list[str]]:
    """Return the places of a tower that is not the language model, and the names that its table does not know."""
    placed, strangers = list[Placed](), list[Stored]()
    for _ in range(_ROWS):
        naming = place_by_name(members, types)
        if naming is None:
            break
        apart, unknown = _blocks_apart(naming, OTHER)
        placed.extend(settle_gating(naming.placed))
        strangers.extend(unknown)
        members = [stored for blocks in apart.values() for stored in blocks]
        if not members:
            break
    placed.extend(_stranger(stored, "") for stored in strangers)
    return [*placed, *place_by_structure(members)], [stored.name for stored in strangers]


def _blocks_apart(naming: Naming, stack: str) -> tuple[dict[str, list[Stored]], list[Stored]]:
    """Return towers of the blocks that lie beside those that the table knows, and what else it does not know."""
    apart, rest = defaultdict[str, list[Stored]](list), list[Stored]()
    for stored in naming.unknown:
        container = _container(stored.name)
        if container is None or container == naming.container:
            rest.append(stored)
        else:
            apart[beside(container, stack)].append(stored)
    return apart, rest


def _container(name: str) -> str | None:
    """Return what a name has before its first number; None without one."""
    parts = name.split(".")
    return next((".".join(parts[:i]) for i, part in enumerate(parts) if is_number(part)), None)


def _stranger(stored: Stored, stack: str) -> Placed:
    return Placed(stored, "vector" if len(stored.shape) < 2 else "other", stack=stack)
