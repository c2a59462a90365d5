"""OFT (Qiu et al., arXiv 2306.07280): the inputs of a layer are rotated in blocks, W R^T; an embedding's outputs, W R."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tensorguard.adapters.base import AdaptedTensor
from tensorguard.adapters.errors import refuse
from tensorguard.adapters.factors import Factors
from tensorguard.adapters.matching import BaseTensors
from tensorguard.adapters.settings import Settings
from tensorguard.errors import quote
from tensorguard.limits import MAX_ADAPTER_RANK
from tensorguard.tensors.base import Float32, Stored

_MAX_TERMS = 100


@dataclass(frozen=True)
class Rotation:
    """Orthogonal blocks from the Cayley transform (I - Q)(I + Q)^-1 of skew-symmetric Q, or from its Neumann series.

    Attributes:
        generators: Of shape (blocks, b (b - 1) / 2): the entries of each Q above its diagonal, row by row; one row if all
            blocks share it.
        size: b.
        terms: Terms of the Neumann series (OFTv2, arXiv 2506.19847); 0 for the exact transform.
        bound: COFT's bound on the norm of the generators; 0 for none.
    """

    generators: Stored
    size: int
    terms: int
    bound: float

    def blocks(self, first: int, stop: int) -> Float32:
        """Return blocks first..stop, float32 of shape (stop - first, b, b)."""
        shared = self.generators.shape[0] == 1
        wanted = slice(0, 1) if shared else slice(first, stop)
        upper = self.generators.read(wanted, slice(0, self.generators.shape[1]))
        rows, columns = np.triu_indices(self.size, 1)
        skew = np.zeros((len(upper), self.size, self.size), np.float32)
        skew[:, rows, columns] = upper
        skew -= skew.transpose(0, 2, 1)
        made = self._series(self._bounded(skew)) if self.terms else self._cayley(self._bounded(skew))
        return np.repeat(made, stop - first, axis=0) if shared else made

    def _bounded(self, skew: Float32) -> Float32:
        if not self.bound:
            return skew
        bound = np.float32(self.bound / math.sqrt(self.generators.shape[0]))
        norms = np.sqrt(np.einsum("nij,nij->n", skew, skew))[:, None, None]
        return np.where(norms <= bound, skew, bound * skew / np.where(norms > 0, norms, 1)).astype(np.float32)

    def _series(self, skew: Float32) -> Float32:
        """I + 2 Q + 2 Q^2 + ... with the last term once, as PEFT sums it."""
        made = np.broadcast_to(np.eye(self.size, dtype=np.float32), skew.shape).copy()
        if self.terms > 1:
            made += 2 * skew
        if self.terms > 2:
            power = skew @ skew
            made += 2 * power
            for _ in range(3, self.terms - 1):
                power = power @ skew
                made += 2 * power
            made += power @ skew
        return made

    def _cayley(self, skew: Float32) -> Float32:
        one = np.eye(self.size, dtype=np.float32)
        try:
            return np.linalg.solve((one + skew).transpose(0, 2, 1), (one - skew).transpose(0, 2, 1)).transpose(0, 2, 1)
        except np.linalg.LinAlgError:
            refuse(f"tensor {quote(self.generators.name)} is too large to make a rotation of", self.generators.where)


@dataclass(frozen=True)
class RotatedTensor(AdaptedTensor):
    """A base tensor whose columns are rotated in blocks. Reads the columns of the blocks that a request touches.

    Attributes:
        rotation: The blocks.
        inverse: Multiply with R^T (a layer's inputs) and not with R (an embedding's outputs).
    """

    rotation: Rotation
    inverse: bool

    def read(self, rows: slice, columns: slice) -> Float32:
        """Compute a block; see `Stored.read`."""
        size = self.rotation.size
        first, stop = columns.start // size, -(-columns.stop // size)
        block = self.base.read(rows, slice(first * size, stop * size)).reshape(-1, stop - first, size)
        with np.errstate(over="ignore", invalid="ignore"):
            turned = self.rotation.blocks(first, stop)
        if self.inverse:
            turned = turned.transpose(0, 2, 1)
        with np.errstate(over="ignore", invalid="ignore"):
            rotated = np.matmul(block.transpose(1, 0, 2), turned).transpose(1, 0, 2).reshape(len(block), -1)
        return np.ascontiguousarray(rotated[:, columns.start - first * size : columns.stop - first * size])


class Oft:
    """The kind; see `Kind`. PEFT has it for linear layers, embeddings and convolutions; the latter are refused."""

    title = "OFT"
    peft_types = frozenset({"OFT"})
    factors = frozenset({"oft_R", "oft_embedding_R", "oft_r"})

    def adapt(self, settings: Settings, modules: Sequence[Factors], base: BaseTensors) -> Iterable[AdaptedTensor]:
        """Plan the adapter; see `Kind.adapt`."""
        for factors in modules:
            if "oft_r" in factors.tensors:
                settings.refuse_unmergeable("an OFT adapter in the format of PEFT 0.15 and before")
            name = "oft_embedding_R" if "oft_embedding_R" in factors.tensors else "oft_R"
            factors.only(name)
            weight = base.weight(factors.module)
            rotation = _rotation(settings, factors, factors.get(name, 2), weight.shape[1])
            yield RotatedTensor(weight, rotation, inverse=name == "oft_R")


def _rotation(settings: Settings, factors: Factors, generators: Stored, width: int) -> Rotation:
    count, entries = generators.shape
    size = (1 + math.isqrt(1 + 8 * entries)) // 2
    if size * (size - 1) // 2 != entries or size > MAX_ADAPTER_RANK:
        factors.refuse(f"has {entries} entries for each block, which no block of up to {MAX_ADAPTER_RANK} has")
    expected = 1 if settings.flag("block_share") else width // size
    if width % size or count != expected:
        factors.refuse(f"has {count} blocks of {size} for the {width} columns of this base: it is for another base")
    terms = settings.number("num_cayley_neumann_terms", 5)
    if not 1 <= terms <= _MAX_TERMS or terms != int(terms):
        factors.refuse(f"asks for {terms:g} terms of the Neumann series, not a whole number up to {_MAX_TERMS}")
    if not settings.flag("use_cayley_neumann", default=True):
        terms = 0
    bound = settings.number("eps", 6e-5) if settings.flag("coft") else 0.0
    return Rotation(generators, size, int(terms), bound)
