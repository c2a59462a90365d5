"""What of a fingerprint is searched by: a vector per basis of the residual stream, and a few digests."""

from collections.abc import Mapping

import blake3
import numpy as np
from numpy.typing import NDArray

from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.sketches import Sketches
from tensorguard.signals.operator_evidence import fixed_basis

BASES = ("fixed", "words", "ids")
"""The vectors' names; vectors of one basis are compared with each other only."""

DIMENSIONS = 256
DIGESTS = 8


def search_vectors(sketches: Sketches) -> Mapping[str, NDArray[np.float32]]:
    """Return unit vectors of `DIMENSIONS` float32 numbers by basis; a basis in which the model has nothing is left out."""
    raise NotImplementedError(fixed_basis)


def search_digests(fingerprint: Fingerprint) -> tuple[int, ...]:
    """Return at most `DIGESTS` signed 64-bit numbers; models that share tensors share some of them, the likelier the more they share."""
    raise NotImplementedError


def source_digest(fingerprint: Fingerprint) -> str:
    """Return a digest of all tensors' names, shapes and values, 32 hexadecimal digits; of names and shapes alone without digests."""
    digest = blake3.blake3(fingerprint.header_digest.encode())
    for each in fingerprint.digests:
        digest.update(each.digest.encode())
    return digest.hexdigest(length=16)
