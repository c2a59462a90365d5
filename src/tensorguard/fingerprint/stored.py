"""What the matrices of a model are stored as: a fact about its container."""

from collections import Counter

from tensorguard.fingerprint.base import StoredAs
from tensorguard.tensors.view import View


def stored_as(view: View) -> tuple[StoredAs, ...]:
    """Return what the matrices in blocks are stored as, by the container's own word, in alphabetical order."""
    counts = Counter[str]()
    for weight in view.weights:
        if weight.layer is not None:
            counts[weight.stored.dtype] += weight.shape[0] * weight.shape[1]
    return tuple(StoredAs(dtype, elements) for dtype, elements in sorted(counts.items()))
