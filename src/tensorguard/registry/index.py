"""A search index: the vectors of one space as eight-bit numbers, side by side in one file, all of which is scanned.

A million vectors of 256 numbers take about 30 ms of one core. A graph (HNSW) was slower at the same recall: families of derivatives
are islands that a walk does not reach (benchmarks/registry.py). It only names candidates: cosines are computed from the stored vectors.

The file is the numbers (int8), a row for each vector, then the ids (int64), then the rows' lengths (float32), little-endian.
"""

from collections.abc import Iterable
from concurrent.futures import Executor
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import InputError

Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]

_PART = 65_536
"""Vectors that one thread scans at a time."""


def write(file: BinaryIO, blocks: Iterable[tuple[Ids, Vectors]]) -> int:
    """Write an index of vectors, given as ids and a matrix with a row for each; returns how many it holds."""
    ids, lengths = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    for numbers, vectors in blocks:
        codes = _coarse(vectors)
        file.write(codes.data)
        ids.append(numbers)
        lengths.append(np.linalg.norm(codes.astype(np.float32), axis=1))
    file.write(np.concatenate(ids).astype("<i8").data)
    file.write(np.maximum(np.concatenate(lengths), 1).astype("<f4").data)
    return sum(map(len, ids))


class Index:
    """An index, mapped into memory; any thread may search it."""

    def __init__(self, path: Path, vectors: int, dimensions: int) -> None:
        """Open an index.

        Raises:
            InputError: It is not of this many vectors of these dimensions.
            OSError: It cannot be opened.
        """
        starts = np.cumsum([0, dimensions * vectors, 8 * vectors, 4 * vectors])
        if path.stat().st_size != starts[-1] or not vectors:
            raise InputError("is not the index that was built", where=path)
        raw = np.memmap(path, np.uint8, "r")
        parts = [raw[start:end] for start, end in pairwise(starts.tolist())]
        self._codes = parts[0].view(np.int8).reshape(vectors, dimensions)
        self._ids, self._lengths = parts[1].view("<i8"), parts[2].view("<f4")
        if not np.all(self._lengths >= 1):
            raise InputError("is not the index that was built", where=path)

    def __len__(self) -> int:
        return len(self._ids)

    def nearest(self, vector: Vectors, most: int, threads: Executor) -> Ids:
        """Return the ids of the `most` vectors of largest cosine, up to what eight bits tell apart, in no order."""
        import simsimd

        code = _coarse(vector[None])

        def best(start: int) -> tuple[Ids, Vectors]:
            part = slice(start, start + _PART)
            scores = np.asarray(simsimd.cdist(code, self._codes[part], "dot", out_dtype="float32"))[0] / self._lengths[part]
            chosen = largest(scores, most)
            return self._ids[part][chosen], scores[chosen]

        found = list(threads.map(best, range(0, len(self), _PART)))
        ids, scores = np.concatenate([i for i, _ in found]), np.concatenate([s for _, s in found])
        nearest: Ids = ids[largest(scores, most)]
        return nearest


def largest(scores: Vectors, most: int) -> NDArray[np.intp]:
    """Return where the `most` largest of some numbers are, in no order."""
    return np.arange(len(scores)) if most >= len(scores) else np.argpartition(scores, len(scores) - most)[len(scores) - most :]


def _coarse(vectors: Vectors) -> NDArray[np.int8]:
    """Return vectors as eight-bit numbers, each up to a scale."""
    scale = 127 / np.maximum(np.abs(vectors).max(1, keepdims=True), np.float32(1e-30))
    coarse: NDArray[np.int8] = np.rint(vectors * scale).astype(np.int8)
    return coarse
