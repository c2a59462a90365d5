"""What a kind of quantisation is, and what it makes of the tensors of one weight."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import InputError, quote
from tensorguard.tensors.base import Float32
from tensorguard.tensors.decoding import PLAIN
from tensorguard.tensors.storage import StoredTensor

MAX_FACTS = 65_536
"""Longest tensor, in bytes, that is read while a model is opened: a shape, a state in JSON."""

_WHOLE, _AT_ONCE = 16, 1 << 22
"""Whole rows are read if at least this part (1/16) of each is wanted; bytes at a time."""


class UnfitError(Exception):
    """The tensors have the names of a kind but cannot be decoded; the message completes the sentence "not decoded: ..."."""


@dataclass(frozen=True)
class Parts:
    """The tensors that stand around one packed weight.

    Attributes:
        main: The tensor that holds the packed numbers.
        stem: Its name without the end that the kind asked for.
        tensors: All of the checkpoint's tensors by name.
        config: The model's configuration; context, never evidence.
    """

    main: StoredTensor
    stem: str
    tensors: Mapping[str, StoredTensor] = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)

    def get(self, end: str) -> StoredTensor | None:
        """Return the tensor named stem + end, if there is one."""
        return self.tensors.get(self.stem + end)

    def need(self, end: str, *dtypes: str) -> StoredTensor:
        """Return the tensor named stem + end.

        Raises:
            UnfitError: It is missing, holds no number, or is of none of `dtypes` (any that can be decoded, if none are given).
        """
        found = self.get(end)
        if found is None:
            raise UnfitError(f"{quote(self.stem + end)} is missing")
        self.check(found, *dtypes)
        return found

    def optional(self, end: str, *dtypes: str) -> StoredTensor | None:
        """Return the tensor named stem + end if there is one; see `need`."""
        return None if self.get(end) is None else self.need(end, *dtypes)

    def check(self, stored: StoredTensor, *dtypes: str) -> None:
        """Raise UnfitError if a tensor is empty or of another dtype."""
        if 0 in stored.shape:
            raise UnfitError(f"{quote(stored.name)} has no elements")
        if stored.info.transposed and min(stored.shape) > 1:
            raise UnfitError(f"{quote(stored.name)} lies transposed in its file")
        if stored.dtype not in (dtypes or PLAIN):
            raise UnfitError(f"{quote(stored.name)} has dtype {quote(stored.dtype)}")

    def misfit(self, stored: StoredTensor) -> NoReturn:
        """Say that a tensor's shape does not fit the packed weight's.

        Raises:
            UnfitError: Always.
        """
        name, shape = quote(stored.name), list(stored.shape)
        raise UnfitError(f"{name} of shape {shape} does not fit {quote(self.main.name)} of shape {list(self.main.shape)}")

    def names(self, *ends: str) -> tuple[str, ...]:
        """Return the names of the main tensor and of those among stem + ends that there are."""
        return self.main.name, *(name for end in ends if (name := self.stem + end) in self.tensors and name != self.main.name)


@dataclass(frozen=True)
class Packed:
    """A weight whose numbers lie in several tensors: a `Stored` of what they mean.

    Attributes:
        name: What the weight is called where it is not packed.
        dtype: The kind and its bits, as `GPTQ-4`.
        shape: Of the weight, not of what holds it.
        main: The tensor that holds the packed numbers.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    main: StoredTensor

    @property
    def where(self) -> str:
        """The file the packed numbers lie in."""
        return self.main.where

    def read(self, rows: slice, columns: slice) -> Float32:
        """Decode a block; see `Stored.read`."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.ascontiguousarray(self.block(rows, columns), dtype=np.float32)

    def block(self, rows: slice, columns: slice) -> Float32:
        """Decode a block, float32 of shape (rows, columns), contiguous or not. What overflows is infinite."""
        raise NotImplementedError

    def refuse(self, message: str) -> NoReturn:
        """Say what is wrong with the numbers.

        Raises:
            InputError: Always.
        """
        raise InputError(f"tensor {quote(self.name)} cannot be decoded: {message}", where=self.where)


@dataclass(frozen=True)
class Found:
    """One weight that was recognised.

    Attributes:
        tensor: What it means.
        parts: Names of the stored tensors that it takes the place of.
        notices: Things a user should know, a sentence each.
    """

    tensor: Packed
    parts: tuple[str, ...]
    notices: tuple[str, ...] = ()


class Kind(Protocol):
    """A kind of quantisation. Adding one is adding a file and naming it in `kinds.KINDS`."""

    @property
    def title(self) -> str:
        """What it is called: `GPTQ`."""

    @property
    def ends(self) -> tuple[str, ...]:
        """How the names of its main tensors may end; an empty end fits every name."""

    def find(self, parts: Parts) -> Found | None:
        """Recognise a weight by names, dtypes and shapes; reads nothing longer than `MAX_FACTS`.

        Returns:
            The weight, or None if these tensors are not of this kind.

        Raises:
            UnfitError: They are, but cannot be decoded.
            InputError: Bytes that had to be read cannot be.
        """


def flat(stored: StoredTensor, start: int, stop: int) -> NDArray[np.uint8]:
    """Return the bytes of elements start..stop of a plain tensor, counted in file order; one read.

    Raises:
        InputError: The bytes cannot be read.
    """
    item = PLAIN[stored.dtype].itemsize
    return stored.info.source.read_at(stored.info.offset + start * item, (stop - start) * item)


def piece_bytes(stored: StoredTensor, rows: slice, columns: slice) -> NDArray[np.uint8]:
    """Return the bytes of a block of many rows and few columns; see `StoredTensor.plain_bytes`.

    Where the columns are a good part of each row, whole rows are read, a few MB at a time, instead of a short piece of each.
    """
    width, item = stored.shape[-1], PLAIN[stored.dtype].itemsize
    if (columns.stop - columns.start) * _WHOLE < width:
        return stored.plain_bytes(rows, columns)
    block = np.empty((rows.stop - rows.start, (columns.stop - columns.start) * item), np.uint8)
    step = max(1, _AT_ONCE // (width * item))
    for start in range(rows.start, rows.stop, step):
        stop = min(start + step, rows.stop)
        whole = stored.plain_bytes(slice(start, stop), slice(0, width))
        block[start - rows.start : stop - rows.start] = whole[:, columns.start * item : columns.stop * item]
    return block


def facts(stored: StoredTensor) -> NDArray[Any]:
    """Return the numbers of a small tensor that is needed to know a weight's shape.

    Raises:
        UnfitError: It is longer than any such tensor is.
        InputError: The bytes cannot be read.
    """
    if stored.info.nbytes > MAX_FACTS:
        raise UnfitError(f"{quote(stored.name)} takes {stored.info.nbytes} bytes")
    return flat(stored, 0, stored.info.size).view(PLAIN[stored.dtype])


def settings(config: Mapping[str, Any], *keys: str) -> Iterator[Any]:
    """Yield what the configuration says of its quantisation under any of these keys."""
    for section in ("quantization_config", "quantization", "compression_config"):
        found = config.get(section)
        if isinstance(found, dict):
            yield from (found[key] for key in keys if key in found)
