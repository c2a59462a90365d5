"""Is a fingerprint still that of a model? Times alone cannot tell: a model may be replaced by an older file, and clocks are set back."""

import numpy as np

from tensorguard.api.models import Model
from tensorguard.errors import TensorGuardError
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.sweep_tasks import extent_of
from tensorguard.signals.digest import block_digest, block_rows, tensor_digest
from tensorguard.tensors.base import Float32, Stored
from tensorguard.tensors.view import Vector
from tensorguard.tensors.weight import Weight

MOST_ELEMENTS = 1 << 22
"""Of a matrix that is read again, unless all are larger: k and v of a model with grouped queries, any of a small model."""
SMALL = 1 << 16
"""Elements of a tensor that is always read again: norms and biases, by which layers that changed places are told."""


def has_same_weights(found: Fingerprint, model: Model) -> bool:
    """Read all small tensors again, and of each role the last matrix that is not too large; say whether their digests are as they were.

    That is a thousandth of a large model: changes that leave all of these as they are go unnoticed, if times do not tell of them.

    Of a model on a server, or a fingerprint without digests of whole tensors, nothing is read and the answer is yes.
    """
    if model.distant or found.coverage is not None or not found.digests:
        return True
    try:
        view = model.view(glance=True)
        members: list[Weight | Vector] = [*view.weights, *view.vectors]
        if len(members) != len(found.digests):
            return False
        smallest = min((each.elements for each in found.digests[: len(view.weights)]), default=0)
        most = max(MOST_ELEMENTS, smallest)
        last = {each.role: at for at, each in enumerate(found.digests) if each.elements <= most}
        small = {at for at, each in enumerate(found.digests) if each.elements <= SMALL}
        return all(_digest(members[at]) == found.digests[at].digest for at in small.union(last.values()))
    except TensorGuardError:  # whoever fingerprints it anew will say what is wrong
        return False


def _read(stored: Stored, start: int, stop: int, columns: int) -> Float32:
    return np.ascontiguousarray(stored.read(slice(start, stop), slice(0, columns)))


def _digest(member: Weight | Vector) -> str:
    rows, columns = extent_of(member)
    step = block_rows(columns)
    blocks = []
    for start in range(0, rows, step):
        stop = min(start + step, rows)
        values = member.rows(start, stop) if isinstance(member, Weight) else _read(member.stored, start, stop, columns)
        blocks.append(block_digest(values))
    return tensor_digest(member.shape if isinstance(member, Weight) else member.stored.shape, blocks)
