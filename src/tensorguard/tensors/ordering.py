"""Canonical order: by place in the model, and by content where two things have the same place. Never by names or file order."""

import hashlib
import itertools
from collections.abc import Callable, Iterable
from typing import TypeVar

from tensorguard.tensors.base import Stored, extent
from tensorguard.tensors.roles import rank
from tensorguard.tensors.weight import Weight

LANGUAGE_STACKS = ("encoder", "decoder", "cross", "shared")
"""Towers that carry language, in canonical order; all others follow by name."""

_FIRST_ROWS = 8
_TILE = 1 << 20

_T = TypeVar("_T")
_Place = tuple[int, str, int, int, str, int, tuple[int, ...]]


def place(stack: str, layer: int | None, role: str, part: str, expert: int | None, shape: tuple[int, ...]) -> _Place:
    """Return the sort key of a place: stack, what lies outside blocks before the blocks, role, part, expert, shape."""
    known = LANGUAGE_STACKS.index(stack) if stack in LANGUAGE_STACKS else len(LANGUAGE_STACKS)
    return known, stack, -1 if layer is None else layer, rank(role), part, -1 if expert is None else expert, shape


def in_order(items: Iterable[_T], where: Callable[[_T], _Place], stored: Callable[[_T], Stored | Weight]) -> list[_T]:
    """Sort by place; what shares a place is sorted by a hash of its first rows, and of all rows if those agree too.

    Raises:
        InputError: Content had to be read to decide, and cannot be.
    """
    ordered: list[_T] = []
    for _, group in itertools.groupby(sorted(items, key=where), key=where):
        same_place = list(group)
        for whole in (False, True):
            hashes = {id(item): _content(stored(item), whole) for item in same_place} if len(same_place) > 1 else {}
            if len(set(hashes.values())) == len(hashes):
                break
        ordered.extend(sorted(same_place, key=lambda item: hashes.get(id(item), b"")))
    return ordered


def _content(item: Stored | Weight, whole: bool) -> bytes:
    height, width = item.shape if isinstance(item, Weight) else extent(item)
    digest = hashlib.blake2b(digest_size=16)
    step = max(1, _TILE // width) if whole else _FIRST_ROWS
    for start in range(0, height if whole else min(height, step), step):
        stop = min(start + step, height)
        block = item.rows(start, stop) if isinstance(item, Weight) else item.read(slice(start, stop), slice(0, width))
        digest.update(block.tobytes())
    return digest.digest()
