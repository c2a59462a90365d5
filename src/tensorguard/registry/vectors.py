"""What of a fingerprint is searched by: a vector per basis of the residual stream, and a few digests.

Both only name candidates, which are then compared in full. A vector is made of parts of norm 1, each the mean over all blocks of one
operator as `signals.operator_evidence` makes it comparable, so that the order of the blocks and a few more or fewer do not matter much;
in the fixed basis of the anchor rows too, so that models which share nothing but embeddings are found. A fixed matrix of signs projects
it to `DIMENSIONS` numbers, which costs the most precision (Johnson and Lindenstrauss 1984): cosines of unrelated models are normal with
mean 0 and standard deviation 1 / sqrt(DIMENSIONS). `python -m benchmarks.zoo.searching` measures what is found.
"""

from collections.abc import Mapping
from functools import lru_cache

import blake3
import numpy as np
from numpy.typing import NDArray

from tensorguard.fingerprint.base import Fingerprint, TensorDigest
from tensorguard.fingerprint.sketches import Sketches
from tensorguard.probes.bits import raw
from tensorguard.probes.rademacher import signs
from tensorguard.signals.operator_evidence import FEWEST, between_anchors, fixed_basis

BASES = ("fixed", "words", "ids")
"""The vectors' names; vectors of one basis are compared with each other only."""

DIMENSIONS = 256
"""The nearest of 1,000,000 strangers has a cosine of about 0.33. Derivatives in the zoo have one of 0.53 or more in some basis, but for
those with new embeddings and a permuted residual stream, of which no sketch finds anything.
"""

DIGESTS = 8
"""More found no more in the zoo: a model that shares any tensor with another mostly shares its embeddings."""

ROWS = 1.5
"""Size of each part of anchor rows in the fixed basis, of which there are two beside five operators: about half of the vector."""

SMALLEST = 1024
"""Tensors with fewer elements are not searched by."""

FORMULA_ROLES = frozenset({"position", "token_type", "relative"})
"""Tables that strangers may hold alike (`lineage.identity`)."""

_ALWAYS = frozenset({"embed", "lm_head"})
_STREAM = "registry/search"
_WORD = 64

Vector = NDArray[np.float64]


def search_vectors(sketches: Sketches) -> Mapping[str, NDArray[np.float32]]:
    """Return unit vectors of `DIMENSIONS` float32 numbers by basis; a basis in which the model has nothing is left out."""
    rows = [ROWS * _rows(each) for each in (sketches.word_rows, sketches.id_rows)]
    wholes = {
        "fixed": np.concatenate([_pooled(fixed_basis(sketches.fixed)), *rows]),
        "words": _between(sketches.words, sketches.word_gram),
        "ids": _between(sketches.ids, sketches.id_gram),
    }
    return {
        basis: _unit(whole @ _projection(basis, len(whole))).astype(np.float32)
        for basis, whole in wholes.items()
        if whole.any()
    }


def search_digests(fingerprint: Fingerprint) -> tuple[int, ...]:
    """Return at most `DIGESTS` signed 64-bit numbers; models that share tensors share some of them, the likelier the more they share.

    Those of embeddings and output heads, and the smallest of the others (Broder 1997): two models' smallest agree about as often as
    their tensors do. Tensors that strangers may hold alike are left out.
    """
    telling = [each for each in fingerprint.digests if _telling(each)]
    first = sorted({each.digest for each in telling if each.role in _ALWAYS})
    rest = sorted({each.digest for each in telling} - set(first))
    return tuple(int.from_bytes(bytes.fromhex(digest)[:8], "big", signed=True) for digest in (first + rest)[:DIGESTS])


def source_digest(fingerprint: Fingerprint) -> str:
    """Return a digest of all tensors' names, shapes and values, 32 hexadecimal digits; of names and shapes alone without digests."""
    digest = blake3.blake3(fingerprint.header_digest.encode())
    for each in fingerprint.digests:
        digest.update(each.digest.encode())
    return digest.hexdigest(length=16)


def _telling(each: TensorDigest) -> bool:
    """Say whether strangers do not hold a tensor alike; roles of vectors hold a colon."""
    return not each.constant and each.elements >= SMALLEST and ":" not in each.role and each.role not in FORMULA_ROLES


def _pooled(operators: NDArray[np.floating]) -> Vector:
    """Return the means over blocks, each operator's of norm 1, in one vector."""
    return np.concatenate([_unit(each.ravel()) for each in operators.sum(0, dtype=np.float64)])


def _between(stored: NDArray[np.float16], gram: NDArray[np.float32]) -> Vector:
    """Return the means over blocks between a model's anchors; zeros where it has too few."""
    if (np.diagonal(gram) > 0).sum() < FEWEST:
        return np.zeros(stored.shape[1:]).ravel()
    return _pooled(between_anchors(stored, gram))


def _rows(anchors: NDArray[np.float32]) -> Vector:
    """Return the anchor rows less their mean, each of norm 1, in one vector of norm 1; zeros where there are too few."""
    present: NDArray[np.bool_] = np.any(anchors, axis=1)
    if present.sum() < FEWEST:
        return np.zeros(anchors.size)
    wide = anchors.astype(np.float64)
    centred = np.where(present[:, None], wide - wide[present].mean(0), 0.0)
    return _unit((centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-300)).ravel())


def _unit(vector: Vector) -> Vector:
    return vector / max(float(np.linalg.norm(vector)), 1e-300)


@lru_cache(maxsize=8)
def _projection(basis: str, size: int) -> NDArray[np.float32]:
    """Return signs, float32 of shape (size, DIMENSIONS), read-only; row j is a function of (basis, j) alone (`probes.bits`)."""
    words = raw(0, f"{_STREAM}/{basis}", 0, size * DIMENSIONS // _WORD)
    matrix = signs(words, 0, _WORD).reshape(size, DIMENSIONS)
    matrix.flags.writeable = False
    return matrix
