"""Tied tensors that a file stores more than once: found by their values, never by what the configuration says."""

from collections.abc import Sequence

import numpy as np

from tensorguard.tensors.base import Stored, extent
from tensorguard.tensors.roles import rank
from tensorguard.tensors.weight import Weight

_TIED_ROLES = ("embed", "lm_head")
_FIRST_ROWS = 16
_GLANCED, _PARTS = 1, 3
"""Where rows are looked at, at a glance: after a third of the table."""
_TILE = 1 << 20
"""Elements compared at a time, after a first small block that tells most unequal tensors apart."""


def copies_of_embedding(weights: Sequence[Weight], *, glance: bool = False) -> list[tuple[Weight, Weight]]:
    """Return (copy, original) for each embedding or output head that equals an earlier one in shape and every value, however stored.

    Embeddings come before heads, so a head tied to its embedding is the copy. Reading stops at the first difference; at a glance,
    a few rows are enough to call them equal: those of two tables that were trained apart are not.

    Raises:
        InputError: The bytes cannot be read or decoded.
    """
    found: list[tuple[Weight, Weight]] = []
    originals: list[Weight] = []
    for weight in sorted((w for w in weights if w.role in _TIED_ROLES), key=lambda w: (rank(w.role), w.name)):
        original = next((o for o in originals if same_values(weight.stored, o.stored, glance=glance)), None)
        if original is None:
            originals.append(weight)
        else:
            found.append((weight, original))
    return found


def same_values(a: Stored, b: Stored, *, glance: bool = False) -> bool:
    """Say whether two tensors agree in shape and the bits of every decoded value (at a glance, of a few rows), however stored."""
    if a.shape != b.shape:
        return False
    height, width = extent(a)
    step = min(_FIRST_ROWS, max(1, _TILE // width))
    start = _GLANCED * height // _PARTS if glance else 0  # the first rows of a vocabulary may be unused, and the last padding
    end = min(start + step, height) if glance else height
    while start < end:
        rows = slice(start, min(start + step, end))
        first, second = (stored.read(rows, slice(0, width)) for stored in (a, b))
        if not np.array_equal(first.view(np.uint32), second.view(np.uint32)):
            return False
        start, step = rows.stop, max(1, _TILE // width)
    return True
