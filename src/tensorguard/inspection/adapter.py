"""What an adapter's own files hold, told without its base and without its numbers."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tensorguard.adapters.kinds import KINDS
from tensorguard.errors import utf8
from tensorguard.formats.base import TensorInfo

_FACTORS = frozenset(name for kind in KINDS for name in kind.factors)
_KNOWN = frozenset(name for kind in KINDS for name in kind.peft_types)
_TAILS = frozenset({"weight", "default", "bias"})
_PREFIXES = ("base_model.model.", "base_model.")
_DOWN = frozenset({"lora_A", "lora_embedding_A"})
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class AdapterModules:
    """Modules of one name and shape that an adapter changes.

    Attributes:
        target: The end of their name, as `q_proj`; empty for what all modules share.
        modules: How many.
        layers: How many different numbers their names have where layers are counted; 0 for none.
        factors: What the adapter stores for each: (name, shape).
        parameters: Of all of them.
        bytes: Of all of them.
    """

    target: str
    modules: int
    layers: int
    factors: tuple[tuple[str, tuple[int, ...]], ...]
    parameters: int
    bytes: int


@dataclass(frozen=True, slots=True)
class AdapterContents:
    """What an adapter's own files hold.

    Attributes:
        kind: What its configuration calls it: LORA, IA3, ...; with its variant: `LORA (DoRA)`.
        known: Whether it is a kind that can be applied to a base.
        base: What its configuration calls its base: a claim.
        rank: The smallest and the largest inner size of low-rank factors; None for other kinds.
        modules: What it changes.
        whole: Names of tensors that it brings whole.
        parameters: Numbers that it holds.
        bytes: Of its tensors.
    """

    kind: str
    known: bool
    base: str
    rank: tuple[int, int] | None
    modules: tuple[AdapterModules, ...]
    whole: tuple[str, ...]
    parameters: int
    bytes: int


def contents(config: Mapping[str, Any], tensors: Sequence[TensorInfo]) -> AdapterContents:
    """Sort an adapter's tensors by the modules that they change; only names and shapes are looked at.

    Args:
        config: `adapter_config.json`; untrusted.
        tensors: The adapter's own.
    """
    kind = _text(config.get("peft_type"))
    known = kind in _KNOWN
    groups: dict[tuple[object, ...], list[tuple[str, Sequence[TensorInfo]]]] = {}
    whole: list[str] = []
    modules: dict[str, list[tuple[str, TensorInfo]]] = {}
    for info in tensors:
        module, factor = _split(info.name, known=known)
        if factor:
            modules.setdefault(module, []).append((factor, info))
        else:
            whole.append(module)
    for module, factors in modules.items():
        signature = tuple(sorted((factor, info.shape) for factor, info in factors))
        groups.setdefault((module.rpartition(".")[2], signature), []).append((module, [info for _, info in factors]))
    ranks = [info.shape[0] for each in modules.values() for factor, info in each if factor in _DOWN and len(info.shape) == 2]
    return AdapterContents(
        kind=f"{kind} (DoRA)" if config.get("use_dora") is True else kind,
        known=known,
        base=_text(config.get("base_model_name_or_path")),
        rank=(min(ranks), max(ranks)) if ranks else None,
        modules=tuple(_modules(str(key[0]), key[1], members) for key, members in groups.items()),
        whole=tuple(whole),
        parameters=sum(info.size for info in tensors),
        bytes=sum(info.nbytes for info in tensors),
    )


def _modules(target: str, factors: Any, members: Sequence[tuple[str, Sequence[TensorInfo]]]) -> AdapterModules:
    infos = [info for _, each in members for info in each]
    layers = {number for name, _ in members for number in _numbers(name)}
    return AdapterModules(
        target,
        len(members),
        len(layers),
        factors,
        sum(math.prod(info.shape) for info in infos),
        sum(info.nbytes for info in infos),
    )


def _split(name: str, *, known: bool) -> tuple[str, str]:
    """Return the module and the factor that a tensor is named after; the whole name and nothing where it is no factor.

    Of a kind that is not known the last word that says something is taken for the factor.
    """
    prefix = next((prefix for prefix in _PREFIXES if name.startswith(prefix)), "")
    parts = name.removeprefix(prefix).split(".")
    if known:
        place = next((i for i, part in enumerate(parts) if part in _FACTORS), None)
    else:
        place = next((i for i in range(len(parts) - 1, -1, -1) if parts[i] not in _TAILS), None)
    if place is None:
        return ".".join(parts), ""
    return ".".join(parts[:place]), parts[place]


def _numbers(module: str) -> Iterator[int]:
    """Yield the first number in a module's name: its layer."""
    found = next((part for part in module.split(".") if part.isascii() and part.isdigit()), None)
    if found is not None:
        yield int(found[:9])


def _text(value: object) -> str:
    return utf8(value)[:_LONGEST] if isinstance(value, str) else ""
