"""Models as functions from rows to numbers: random ones, one on disk, and what can be made of either: changed, or disguised."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from benchmarks.checkpoint import read
from benchmarks.remote.shapes import Tensor
from benchmarks.remote.streams import (
    NORMAL,
    Bits,
    Index,
    gain_bits,
    key_of,
    looked_up,
    normal_bits,
    rows_of_words,
    to_bits,
    to_float,
)

_SPREAD = 0.25
"""Standard deviation of the logarithms of gains."""


class Weights(Protocol):
    """A model's numbers."""

    def rows(self, tensor: Tensor, index: Index) -> Bits:
        """Return some rows, of shape (len(index), columns)."""


@dataclass(frozen=True)
class Random:
    """A model of random numbers: matrices normal, each with a scale of its own, gains log-normal."""

    seed: str

    def rows(self, tensor: Tensor, index: Index) -> Bits:
        key, scale = _drawn(self.seed, tensor.name)
        table = gain_bits(_SPREAD) if tensor.vector else normal_bits(scale)
        return looked_up(table, rows_of_words(key, index, tensor.columns))


@lru_cache(maxsize=1 << 12)
def _drawn(seed: str, name: str) -> tuple[int, float]:
    key = key_of(seed, name)
    return key, 0.02 * 2.0 ** (key % 1024 / 1024 - 0.5)


@dataclass(frozen=True)
class Stored:
    """A BF16 model in one safetensors file."""

    path: Path

    def rows(self, tensor: Tensor, index: Index) -> Bits:
        found: Bits = self._arrays[tensor.name].reshape(-1, tensor.columns)[index]
        return found

    @cached_property
    def _arrays(self) -> Mapping[str, Bits]:
        return {entry.name: np.concatenate([*entry.blocks()]).view(np.uint16) for entry in read(self.path)}


@dataclass(frozen=True)
class Changed:
    """Every number of a model moved by a normal one.

    Attributes:
        of: The model.
        seed: Of the change.
        by: Its size relative to the row's root mean square; of a norm's gain relative to its spread.
    """

    of: Weights
    seed: str
    by: float

    def rows(self, tensor: Tensor, index: Index) -> Bits:
        values = to_float(self.of.rows(tensor, index))
        noise = looked_up(NORMAL, rows_of_words(key_of(self.seed, tensor.name), index, tensor.columns))
        size = values.std(axis=1) if tensor.vector else np.sqrt(np.einsum("ij,ij->i", values, values) / tensor.columns)
        values += noise * (np.float32(self.by) * size)[:, None]
        return to_bits(values)


@dataclass(frozen=True)
class Permuted:
    """A model that computes the same with its residual stream and every block's neurons in another order.

    Attributes:
        of: The model.
        seed: Of the permutations.
        lengths: Of the spaces to be permuted (`Shape.permuted`).
    """

    of: Weights
    seed: str
    lengths: Mapping[str, int] = field(repr=False)

    def rows(self, tensor: Tensor, index: Index) -> Bits:
        if tensor.row_space:
            index = self._orders[tensor.row_space][index]
        found = self.of.rows(tensor, index)
        return np.take(found, self._orders[tensor.column_space], axis=1, mode="clip") if tensor.column_space else found

    @cached_property
    def _orders(self) -> Mapping[str, Index]:
        return {
            space: np.random.Generator(np.random.Philox(key=key_of(self.seed, space))).permutation(length)
            for space, length in self.lengths.items()
        }
