"""LoKr (LyCORIS, Yeh et al., arXiv 2309.14859): W + (alpha / r) W1 (x) W2, a Kronecker product, either side perhaps low-rank."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tensorguard.adapters.base import AdaptedTensor, AddedTensor
from tensorguard.adapters.factors import Factors, matrix
from tensorguard.adapters.matching import BaseTensors
from tensorguard.adapters.settings import Settings
from tensorguard.tensors.base import Float32, Stored

_FACTORS = ("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b")


@dataclass(frozen=True)
class Side:
    """One side of the product: a matrix, or a low-rank pair to be multiplied."""

    left: Stored
    right: Stored | None

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the side."""
        return self.left.shape[0], (self.right or self.left).shape[1]

    def rows(self, wanted: slice) -> Float32:
        """Return rows of it, float32 of shape (rows, columns)."""
        left = self.left.read(wanted, slice(0, self.left.shape[1]))
        return left if self.right is None else left @ matrix(self.right)


@dataclass(frozen=True)
class Kronecker:
    """scale * first (x) second: element (i, j) is first[i / p, j / q] * second[i % p, j % q] with second of shape (p, q)."""

    first: Side
    second: Side
    scale: float

    def block(self, rows: slice, columns: slice) -> Float32:
        """Return a block; see `Update.block`."""
        period, repeat = self.second.shape
        row, column = np.arange(rows.start, rows.stop), np.arange(columns.start, columns.stop)
        outer, inner = row // period, row % period
        block = _pick(self.first, outer, column // repeat)
        block *= _pick(self.second, inner, column % repeat)
        block *= self.scale
        return block


def _pick(
    side: Side, rows: np.ndarray[tuple[int], np.dtype[np.int64]], columns: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> Float32:
    low, high = int(rows.min(initial=side.shape[0])), int(rows.max(initial=-1)) + 1
    return side.rows(slice(min(low, high), high))[np.ix_(rows - low, columns)]


class Lokr:
    """The kind; see `Kind`. PEFT has it for linear layers and convolutions; the latter are refused."""

    title = "LoKr"
    peft_types = frozenset({"LOKR"})
    factors = frozenset({*_FACTORS, "lokr_t2"})

    def adapt(self, settings: Settings, modules: Sequence[Factors], base: BaseTensors) -> Iterable[AdaptedTensor]:
        """Plan the adapter; see `Kind.adapt`."""
        for factors in modules:
            weight = base.weight(factors.module)
            factors.only(*_FACTORS)
            first, first_rank = _side(factors, "lokr_w1")
            second, second_rank = _side(factors, "lokr_w2")
            if first_rank and second_rank and first_rank != second_rank:
                factors.refuse(f"has two ranks, {first_rank} and {second_rank}")
            shape = (first.shape[0] * second.shape[0], first.shape[1] * second.shape[1])
            if weight.shape != shape:
                factors.refuse(f"is {list(weight.shape)} in this base, but its factors are for {list(shape)}")
            scale = settings.scale(factors.module, first_rank or second_rank, "alpha")
            yield AddedTensor(weight, Kronecker(first, second, scale))


def _side(factors: Factors, name: str) -> tuple[Side, int | None]:
    if name in factors.tensors:
        if f"{name}_a" in factors.tensors or f"{name}_b" in factors.tensors:
            factors.refuse(f"has both {name} and its low-rank form")
        return Side(factors.get(name, 2), None), None
    right, left, rank = factors.matrices(f"{name}_b", f"{name}_a")
    return Side(left, right), rank
