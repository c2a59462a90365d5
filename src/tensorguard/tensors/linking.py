"""Which attention and which feed-forward lie in one block, without names: by what they read from the residual stream and write to it.

What a block reads and writes changes slowly with depth. The cosines between the coordinates of the stream, as one matrix sees them, are
like those of the other matrices of its block, once what all blocks have in common is taken out.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tensorguard.tensors.base import Float32
from tensorguard.tensors.coupling import Side, faces
from tensorguard.tensors.matching import Block, assigned
from tensorguard.tensors.series import Series

_COORDINATES = 256
_UNITS = 512
_READERS = ("gate", "up", "gate_up", "fc_in")


def link(attention: Sequence[Block], ffn: Sequence[Block], embed: Series | None, transposed: bool) -> list[Block]:
    """Put sets of matrices together to blocks.

    Args:
        attention: Sets {v, o} and {q, k}, as many of either, or {qkv, o}.
        ffn: Sets {gate, up, down} or {fc_in, fc_out}, as many.
        embed: The embedding, whose likeness orders the blocks.
        transposed: Whether all are stored as in x out.

    Returns:
        Whole blocks, those that read what the embedding wrote first.
    """

    def seen(blocks: Sequence[Block], role: str) -> Float32:
        return _seen([block[role] for block in blocks], role in ("o", "down", "fc_out"), transposed)

    values = [block for block in attention if "o" in block]
    keys = [block for block in attention if "k" in block]
    readers = [role for role in _READERS if role in ffn[0]]
    blocks = [dict(block) for block in values]
    if keys:
        likeness = sum(weight * _likeness(seen(values, "v"), seen(keys, role)) for role, weight in (("k", 1.0), ("q", 0.5)))
        for i, j in assigned(np.asarray(likeness)):
            blocks[i] |= keys[j]
    likeness = _likeness(seen(blocks, "o"), seen(ffn, "down" if "down" in ffn[0] else "fc_out"))
    reading = [role for role in ("q", "k", "v", "qkv") if role in blocks[0]]
    for role in reading:
        here = seen(blocks, role)
        likeness = likeness + sum(_likeness(here, seen(ffn, other)) for other in readers) / (len(readers) * len(reading))
    for i, j in assigned(likeness):
        blocks[i] |= ffn[j]
    if embed is None:
        return blocks
    table = _seen([embed], False, False)
    depth = _centred(seen(blocks, readers[0])) @ _centred(table)[0]
    return [blocks[i] for i in np.argsort(-depth, kind="stable")]


def _seen(members: Sequence[Series], writes: bool, transposed: bool) -> Float32:
    """Return the cosines between coordinates of the stream as each matrix sees them, float32 of shape (members, pairs)."""
    sides = []
    for each in members:
        rows = writes == transposed
        units = min(_UNITS, each.shape[0] if rows else each.shape[1])
        sides.append(Side(each.members[0].stored, rows, units))
    found = faces(sides, len(sides)).directions[:, :, :_COORDINATES]
    norms = np.linalg.norm(found, axis=1, keepdims=True)
    found = np.asarray(found / np.where(norms > 0, norms, 1), np.float32)
    upper = np.triu_indices(found.shape[2], 1)
    return np.stack([(each.T @ each)[upper] for each in found])


def _likeness(first: Float32, second: Float32) -> NDArray[np.float64]:
    """Correlate, after taking out what all members of a list have in common."""
    A, B = (_centred(each - each.mean(0)) for each in (first, second))
    found: NDArray[np.float64] = (A @ B.T).astype(np.float64)
    return found


def _centred(rows: Float32) -> Float32:
    rows = rows - rows.mean(1, keepdims=True)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1), np.float32)
