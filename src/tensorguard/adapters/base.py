"""What an adapter makes of a base tensor, and the protocol of a kind of adapter."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tensorguard.adapters.factors import Factors
from tensorguard.adapters.matching import BaseTensors
from tensorguard.adapters.settings import Settings
from tensorguard.tensors.base import Float32, Stored


@dataclass(frozen=True)
class AdaptedTensor:
    """A base tensor under an adapter: a `Stored` of the base's name, dtype, shape and orientation.

    Subclasses compute a block from the base's own block and the adapter's factors, in float32, and never read more of the base
    than they say. What overflows is infinite, and the base's own NaN and infinities go through: readers report them. They are
    picklable and hold references to factors, not their numbers.

    Attributes:
        base: The tensor that is changed.
    """

    base: Stored

    @property
    def name(self) -> str:
        """The base tensor's name."""
        return self.base.name

    @property
    def dtype(self) -> str:
        """The base tensor's dtype: what a merged file stores, although blocks are computed in float32."""
        return self.base.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The base tensor's shape."""
        return self.base.shape

    @property
    def where(self) -> str:
        """The file the base tensor lies in."""
        return self.base.where

    def read(self, rows: slice, columns: slice) -> Float32:
        """Compute a block; see `Stored.read`."""
        raise NotImplementedError


class Update(Protocol):
    """A matrix that is added to a base tensor, in that tensor's stored orientation. Implementations are frozen and picklable."""

    def block(self, rows: slice, columns: slice) -> Float32:
        """Return a block of it: float32 of shape (rows, columns)."""


@dataclass(frozen=True)
class AddedTensor(AdaptedTensor):
    """W + D. Reads exactly the block of the base that is asked for."""

    update: Update

    def read(self, rows: slice, columns: slice) -> Float32:
        """Compute a block; see `Stored.read`."""
        block = self.base.read(rows, columns)
        with np.errstate(over="ignore", invalid="ignore"):
            block += self.update.block(rows, columns)
        return block


@dataclass(frozen=True)
class WholeTensor:
    """A tensor that the adapter stores as a whole: in a base tensor's place (modules_to_save, trained biases), or new to the base.

    Attributes:
        name: Its name in the model: the base tensor's, if it takes the place of one.
        dtype: What a merged file stores it as, likewise.
        whole: The adapter's tensor; its shape counts, since a vocabulary may have grown.
    """

    name: str
    dtype: str
    whole: Stored

    @property
    def shape(self) -> tuple[int, ...]:
        """The adapter's shape."""
        return self.whole.shape

    @property
    def where(self) -> str:
        """The adapter's file."""
        return self.whole.where

    def read(self, rows: slice, columns: slice) -> Float32:
        """Read a block; see `Stored.read`."""
        return self.whole.read(rows, columns)


class Kind(Protocol):
    """A kind of adapter. Adding one is adding a file and naming it in `kinds.KINDS`."""

    @property
    def title(self) -> str:
        """What it is called: `LoRA`."""

    @property
    def peft_types(self) -> frozenset[str]:
        """The `peft_type` values of a configuration that it understands."""

    @property
    def factors(self) -> frozenset[str]:
        """The name segments that mark its tensors, as `lora_A` in `model.layers.0.self_attn.q_proj.lora_A.weight`."""

    def adapt(self, settings: Settings, modules: Sequence[Factors], base: BaseTensors) -> Iterable[AdaptedTensor]:
        """Plan the adapter: one adapted tensor for each base tensor it changes. Reads no numbers of the base.

        Args:
            settings: The adapter's configuration.
            modules: The factors of each module it is on.
            base: The base's tensors.

        Raises:
            InputError: It does not fit the base, contradicts itself, or asks for what cannot be done exactly.
        """
