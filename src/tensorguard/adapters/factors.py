"""An adapter's tensors, sorted: the factors of each module, what all modules share, and what replaces a base tensor whole."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np

from tensorguard.adapters.errors import refuse
from tensorguard.errors import quote
from tensorguard.limits import MAX_ADAPTER_RANK
from tensorguard.tensors.base import Float32, Stored, extent
from tensorguard.tensors.decoding import FLOATS

_PREFIXES = ("base_model.model.", "base_model.")
_WRAPPERS = frozenset({"base_layer", "modules_to_save"})
_TAILS = ((), ("weight",), ("default",), ("default", "weight"))
"""What may follow a factor's name; `default` is in checkpoints that were not saved by PEFT's own function."""

_CHECKED_ELEMENTS = 1 << 20


@dataclass(frozen=True)
class Factors:
    """The factors of one module.

    Attributes:
        module: Its path in the model, as `model.layers.0.self_attn.q_proj`; empty for what all modules share.
        where: The adapter's file.
        tensors: Factor name -> tensor; a trained bias of `lora_B` is `lora_B.bias`.
    """

    module: str
    where: str
    tensors: Mapping[str, Stored]

    def get(self, name: str, dimensions: int) -> Stored:
        """Return a factor that must be there and have so many dimensions."""
        found = self.tensors.get(name)
        if found is None:
            self.refuse(f"has no {name}")
        if len(found.shape) != dimensions or 0 in found.shape:
            self.refuse(f"has a {name} of shape {list(found.shape)}, where {dimensions} dimensions are needed")
        return found

    def matrices(self, down: str, up: str) -> tuple[Stored, Stored, int]:
        """Return a low-rank pair and its rank: `down` of shape (r, in), `up` of shape (out, r).

        Raises:
            InputError: One is missing, the inner sizes differ, or the rank is over `MAX_ADAPTER_RANK`.
        """
        first, second = self.get(down, 2), self.get(up, 2)
        rank = first.shape[0]
        if second.shape[1] != rank:
            shapes = f"{list(first.shape)} and {list(second.shape)}"
            self.refuse(f"has {down} and {up} of shapes {shapes}, which do not multiply")
        if rank > MAX_ADAPTER_RANK:
            self.refuse(f"has rank {rank}, more than the {MAX_ADAPTER_RANK} allowed")
        return first, second, rank

    def only(self, *names: str) -> None:
        """Check that there is no other factor, which would be ignored in silence."""
        for name in self.tensors:
            if name not in names:
                self.refuse(f"has a {quote(name)}, which does not go with its other factors")

    def refuse(self, reason: str) -> NoReturn:
        """Raise an `InputError` about this module."""
        refuse(f"module {quote(self.module or 'shared by all')} {reason}", self.where)


@dataclass(frozen=True)
class AdapterTensors:
    """All tensors of an adapter.

    Attributes:
        modules: The factors of each module, in file order.
        whole: Name in the model -> tensor that replaces the base's.
    """

    modules: tuple[Factors, ...]
    whole: Mapping[str, Stored] = field(default_factory=dict)


def sort_tensors(tensors: Iterable[Stored], names: frozenset[str], where: str) -> AdapterTensors:
    """Sort an adapter's tensors by module.

    Args:
        tensors: All its tensors.
        names: The factor names of its kind.
        where: The adapter, for messages.

    Raises:
        InputError: A name cannot be understood, comes twice, or a factor is not of a floating-point dtype or holds NaN or infinity.
    """
    modules: dict[str, dict[str, Stored]] = {}
    whole: dict[str, Stored] = {}
    for stored in tensors:
        path = _strip(stored.name)
        position = next((i for i, part in enumerate(path) if part in names), None)
        if position is None:
            name = ".".join(part for part in path if part not in _WRAPPERS)
            table = whole
        else:
            name = _factor_name(path[position], tuple(path[position + 1 :]), stored, where)
            table = modules.setdefault(".".join(path[:position]), {})
            _check_values(stored, where)
        if name in table:
            refuse(f"tensor {quote(stored.name)} comes twice", where)
        table[name] = stored
    return AdapterTensors(tuple(Factors(path, where, found) for path, found in modules.items()), whole)


def vector(stored: Stored) -> Float32:
    """Return all of a small tensor as float32 of shape (elements,)."""
    return matrix(stored).reshape(-1)


def matrix(stored: Stored) -> Float32:
    """Return all of a factor as float32 of shape (rows, columns)."""
    rows, columns = extent(stored)
    return stored.read(slice(0, rows), slice(0, columns))


def _strip(name: str) -> list[str]:
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            return name.removeprefix(prefix).split(".")
    return name.split(".")


def _factor_name(factor: str, tail: tuple[str, ...], stored: Stored, where: str) -> str:
    if tail in _TAILS:
        return factor
    if tail not in (("bias",), ("default", "bias")):
        refuse(f"tensor {quote(stored.name)} has a name that PEFT does not give", where)
    return f"{factor}.bias"


def _check_values(stored: Stored, where: str) -> None:
    if stored.dtype not in FLOATS:
        refuse(f"tensor {quote(stored.name)} has dtype {quote(stored.dtype)}, not a floating-point type", where)
    rows, columns = extent(stored)
    step = max(1, _CHECKED_ELEMENTS // max(1, columns))
    for start in range(0, rows if math.prod(stored.shape) else 0, step):
        block = stored.read(slice(start, min(rows, start + step)), slice(0, columns))
        if not np.isfinite(block).all():
            refuse(f"tensor {quote(stored.name)} holds NaN or infinity: it is broken", where, "train or download it again")
