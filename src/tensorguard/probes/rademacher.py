"""Fixed probes of signs: row j is a function of (key, stream, j) alone, so a wider layer or a longer vocabulary keeps its prefix.

Bit c of the j-th raw 64-bit word of a stream is the sign of row j in column c (`probes.bits`).
"""

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tensorguard.probes.bits import raw

FIXED = 32
"""Columns of the fixed basis, orthonormal."""

RESPONSE = (64, 16)
"""Rows and columns of a response sketch."""

_BASIS, _ROWS = "lineage/basis", "lineage/rows"


@dataclass(frozen=True, slots=True)
class Key:
    """Whose probes they are: everybody's, or those of whoever holds a secret.

    Public probes can be forged: a small change of the weights can imitate or erase any answer to probes that are known.

    Attributes:
        secret: Any bytes; empty for the public probes.
    """

    secret: bytes = field(default=b"", repr=False)

    def identity(self) -> str:
        """Return what may be told of the key: `public`, or a digest that says nothing of the secret but which one it is."""
        return hashlib.blake2b(b"identity" + self.secret, digest_size=8).hexdigest() if self.secret else "public"

    def words(self, stream: str, count: int, start: int = 0) -> NDArray[np.uint64]:
        """Return `count` raw words of a stream from word `start` on, uint64 of shape (count,)."""
        if not self.secret:
            return raw(0, stream, 0, count, start)
        digest = hashlib.blake2b(stream.encode(), key=hashlib.blake2b(self.secret).digest(), digest_size=16).digest()
        return raw(int.from_bytes(digest[:8], "little"), digest[8:].hex(), 0, count, start)


PUBLIC = Key()
"""The probes that everybody knows."""


def signs(words: NDArray[np.uint64], first: int, columns: int) -> NDArray[np.float32]:
    """Return bits `first` to `first + columns` of every word as -1 or 1, float32 of shape (words, columns)."""
    octets = words.astype("<u8", copy=False).view(np.uint8).reshape(len(words), 8)
    bits = np.unpackbits(octets, axis=1, bitorder="little")[:, first : first + columns]
    return bits.astype(np.float32) * 2 - 1


@lru_cache(maxsize=16)
def fixed_basis(key: Key, width: int) -> NDArray[np.float32]:
    """Return X (X^T X)^-1/2 for signs X less their column means: float32 of shape (width, 32), read-only.

    Its columns are orthonormal (of lower rank where `width` is below 33), which the rotation null needs. The direction 1 is left out:
    a LayerNorm that is not folded (BERT's) sets it apart in every model.
    """
    X = signs(key.words(_BASIS, width), 0, FIXED).astype(np.float64)
    X -= X.sum(0) / max(width, 1)
    values, vectors = np.linalg.eigh(X.T @ X)
    kept = values > values[-1] * 1e-9
    root = (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T
    basis: NDArray[np.float32] = (X @ root).astype(np.float32)
    basis.flags.writeable = False
    return basis


@lru_cache(maxsize=8)
def response_inputs(key: Key, width: int) -> NDArray[np.float32]:
    """Return the inputs of response sketches: signs, float32 of shape (width, 16), read-only."""
    X = signs(key.words(_BASIS, width), FIXED, RESPONSE[1])
    X.flags.writeable = False
    return X


@lru_cache(maxsize=96)
def response_rows(key: Key, start: int, stop: int) -> NDArray[np.float32]:
    """Return rows `start` to `stop` of the row side P of response sketches: signs, float32 of shape (stop - start, 64), read-only.

    A layer's matrices ask for the same rows.
    """
    P = signs(key.words(_ROWS, stop - start, start), 0, RESPONSE[0])
    P.flags.writeable = False
    return P
