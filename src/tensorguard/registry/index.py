"""A search index: a file of the vectors of one space as bits, all of which are scanned, and as eight-bit numbers, which rank the best.

The bits are on which side of `BITS` fixed planes a vector lies; the angle between two is about the share of bits in which they differ
(Charikar 2002). A graph (HNSW) was slower at the same recall: families of derivatives are islands that a walk does not reach
(benchmarks/registry.py). The index only names candidates: cosines are computed from the stored vectors.

The file is the bits and the numbers (int8), a row for each vector, then the ids (int64), then the rows' lengths (float32), little-endian,
then a mark that says which planes it is of.
"""

import shutil
import tempfile
from collections.abc import Iterable
from concurrent.futures import Executor
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import InputError
from tensorguard.probes.bits import raw
from tensorguard.probes.rademacher import signs

Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]

BITS = 768
"""Planes; with fewer, more vectors have to be ranked."""

_MARK = b"at right angles "
"""The end of an index of which the planes lie at right angles to each other; those of earlier versions lie anyhow."""

_PART = 65_536
"""Vectors that one thread scans at a time."""

_RANKED = 64
"""About one in so many is ranked, or twice those asked for if these are more."""

_LEAST_RANKED = 16_384
"""At least so many are ranked: the nearest strangers among fewer vectors are farther away, where bits tell less."""

_LOOKED_AT = 8
"""One in so many distances of a part tells how near that is: to sort all of them would cost as much as a fifth of the scan."""

_SURE = 4
"""How many times as many as have to be found a sample has to tell of, so that it is never fewer."""

_COPIED = 1 << 20
_WORD = 64
_STREAM = "registry/planes"


def write(file: BinaryIO, blocks: Iterable[tuple[Ids, Vectors]], scratch: Path) -> int:
    """Write an index of vectors, given as ids and a matrix with a row for each; returns how many it holds.

    Args:
        file: Where to.
        blocks: The vectors.
        scratch: A folder with room for a nameless file of a byte for each number.
    """
    ids, lengths = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    with tempfile.TemporaryFile(dir=scratch) as codes:
        for numbers, vectors in blocks:
            coarse = _coarse(vectors)
            file.write(_sides(vectors).data)
            codes.write(coarse.data)
            ids.append(numbers)
            lengths.append(np.linalg.norm(coarse.astype(np.float32), axis=1))
        codes.seek(0)
        shutil.copyfileobj(codes, file, _COPIED)
    file.write(np.concatenate(ids).astype("<i8").data)
    file.write(np.maximum(np.concatenate(lengths), 1).astype("<f4").data)
    file.write(_MARK)
    return sum(map(len, ids))


class Index:
    """An index, mapped into memory; any thread may search it."""

    def __init__(self, path: Path, vectors: int, dimensions: int) -> None:
        """Open an index.

        Raises:
            InputError: It is not of this many vectors of these dimensions.
            OSError: It cannot be opened.
        """
        starts = np.cumsum([0, BITS // 8 * vectors, dimensions * vectors, 8 * vectors, 4 * vectors])
        rest = path.stat().st_size - int(starts[-1])
        self._anyhow = rest == 0
        if rest not in (0, len(_MARK)) or not vectors:
            raise InputError("is not the index that was built", where=path)
        raw = np.memmap(path, np.uint8, "r")
        parts = [raw[start:end] for start, end in pairwise(starts.tolist())]
        self._bits, self._codes = parts[0].reshape(vectors, -1), parts[1].view(np.int8).reshape(vectors, dimensions)
        self._ids, self._lengths = parts[2].view("<i8"), parts[3].view("<f4")
        if not np.all(self._lengths >= 1):
            raise InputError("is not the index that was built", where=path)

    def __len__(self) -> int:
        return len(self._ids)

    def nearest(self, vector: Vectors, most: int, threads: Executor) -> Ids:
        """Return the ids of the `most` vectors of largest cosine, as far as bits and eight-bit numbers tell, in no order."""
        import simsimd

        bits, code = _sides(vector[None], anyhow=self._anyhow), _coarse(vector[None])
        share = max(1 / _RANKED, _LEAST_RANKED / len(self))

        def best(start: int) -> tuple[Ids, Vectors]:
            part = self._bits[start : start + _PART]
            apart = np.asarray(simsimd.cdist(bits, part, metric="hamming", dtype="bin8", out_dtype="float32"))[0]
            few = start + np.flatnonzero(apart <= _nearness(apart, share, 2 * most))
            codes = self._codes.take(few, axis=0, mode="clip")  # quicker than [few], and with no copy of a copy
            scores = np.asarray(simsimd.cdist(code, codes, "dot", out_dtype="float32"))[0] / self._lengths[few]
            chosen = largest(scores, most)
            return self._ids[few[chosen]], scores[chosen]

        found = list(threads.map(best, range(0, len(self), _PART)))
        ids, scores = np.concatenate([i for i, _ in found]), np.concatenate([s for _, s in found])
        nearest: Ids = ids[largest(scores, most)]
        return nearest


def largest(scores: Vectors, most: int) -> NDArray[np.intp]:
    """Return where the `most` largest of some numbers are, in no order."""
    return np.arange(len(scores)) if most >= len(scores) else np.argpartition(scores, len(scores) - most)[len(scores) - most :]


def _nearness(apart: Vectors, share: float, least: int) -> float:
    """Return a distance that about this share of some distances do not exceed, and at least `least`; of many, a sample tells it."""
    ranked = min(max(int(share * len(apart)), least), len(apart))
    sample = apart[::_LOOKED_AT] if _SURE * least < ranked < len(apart) // 2 else apart
    rank = ranked * len(sample) // len(apart) - 1
    return float(np.partition(sample, rank)[rank])


def _coarse(vectors: Vectors) -> NDArray[np.int8]:
    """Return vectors as eight-bit numbers, each up to a scale."""
    scale = 127 / np.maximum(np.abs(vectors).max(1, keepdims=True), np.float32(1e-30))
    coarse: NDArray[np.int8] = np.rint(vectors * scale).astype(np.int8)
    return coarse


def _sides(vectors: Vectors, *, anyhow: bool = False) -> NDArray[np.uint8]:
    """Return on which side of the planes vectors lie, eight planes to a byte."""
    across = _anyhow(vectors.shape[1]) if anyhow else _at_right_angles(vectors.shape[1])
    return np.packbits(vectors @ across > 0, axis=1)


@lru_cache(maxsize=4)
def _at_right_angles(dimensions: int) -> Vectors:
    """Return what stands on the planes: signs, float32 of shape (dimensions, BITS), the same for ever.

    They are the columns of Hadamard matrices of which rows change their signs at random: in each, all are at right angles to each other,
    so that together they tell an angle better than as many random planes (Ji, Li, Yan, Zhang and Tian 2012).
    """
    size = 1 << (dimensions - 1).bit_length()
    hadamard = np.ones((1, 1), np.float32)
    while len(hadamard) < size:
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    turned = signs(raw(0, f"{_STREAM}/turned", 0, -(-BITS // size) * size // _WORD + 1), 0, _WORD).ravel()
    several = [turned[at * size : at * size + dimensions, None] * hadamard[:dimensions] for at in range(-(-BITS // size))]
    return np.ascontiguousarray(np.concatenate(several, axis=1)[:, :BITS])


@lru_cache(maxsize=4)
def _anyhow(dimensions: int) -> Vectors:
    """Return what stood on the planes of earlier versions."""
    return signs(raw(0, _STREAM, 0, dimensions * BITS // _WORD), 0, _WORD).reshape(dimensions, BITS)
