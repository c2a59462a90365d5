"""A checkpoint's stored tensors to the ones its model means."""

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tensorguard.errors import quote, quote_some
from tensorguard.quantisations.base import Found, Kind, Parts, UnfitError, settings
from tensorguard.quantisations.kinds import KINDS
from tensorguard.sources.prefetching import Span, prefetch
from tensorguard.tensors.base import Stored
from tensorguard.tensors.storage import StoredTensor

_ASKED = (".qzeros", ".shape", "_shape", "weight_g_idx", ".quant_state.bitsandbytes__nf4", ".quant_state.bitsandbytes__fp4")
"""How names end of tensors whose beginning is read to know a weight's shape or kind."""

_BEGINNING = 512

_SHOWN = 3
"""Names that a notice lists."""

_TRIED = tuple((kind, end) for kind in KINDS for end in kind.ends)
"""Kinds with the ends of their main tensors' names, in the order they are tried."""


@dataclass(frozen=True)
class Unpacked:
    """What the tensors mean.

    Attributes:
        tensors: In file order; a weight stands where its packed numbers stood.
        notices: What was not decoded and why, a sentence each.
        kinds: How many weights were unpacked of each dtype, as `GPTQ-4`; the commonest first.
    """

    tensors: tuple[Stored, ...] = field(repr=False)
    notices: tuple[str, ...] = ()
    kinds: Mapping[str, int] = field(default_factory=dict)


def unpacked(tensors: Sequence[Stored], config: Mapping[str, Any]) -> Unpacked:
    """Put one tensor in the place of each group that packs a weight; all others pass through.

    A group that has the names of a kind but cannot be decoded passes through too, and a notice says so.

    Args:
        tensors: Everything the checkpoint stores, in file order.
        config: The model's own configuration: it decides between layouts that the shapes allow, nothing else.

    Raises:
        InputError: Bytes that had to be read (a shape, a state in JSON) cannot be.
    """
    by_name = {stored.name: stored for stored in tensors if isinstance(stored, StoredTensor)}
    asked = (stored.info for name, stored in by_name.items() if name.endswith(_ASKED))
    prefetch(Span(info.source, info.offset, min(info.nbytes, _BEGINNING)) for info in asked)
    found: dict[str, Found] = {}
    left: dict[str, list[tuple[str, str]]] = {}
    names: set[str] = set()
    for name, stored in by_name.items():
        title, result = _find(stored, by_name, config)
        if isinstance(result, Found) and result.tensor.name in names:
            left.setdefault(title, []).append((name, "another of its tensors packs the same weight"))
        elif isinstance(result, Found):
            found[name] = result
            names.add(result.tensor.name)
        elif result:
            left.setdefault(title, []).append((name, result))
    taken = {part for group in found.values() for part in group.parts}
    meant = tuple(found[s.name].tensor if s.name in found else s for s in tensors if s.name in found or s.name not in taken)
    notices = dict.fromkeys(notice for group in found.values() for notice in group.notices)
    counts = Counter(group.tensor.dtype for group in found.values())
    told = [*notices, *(_sentence(title, each) for title, each in left.items())]
    method = next(settings(config, "quant_method"), None)
    if method and not found and not left:
        told.append(f"The configuration says the weights are quantised ({quote(method, 40)}), but no tensor shows it.")
    return Unpacked(meant, tuple(told), dict(counts.most_common()))


def _find(stored: StoredTensor, tensors: Mapping[str, StoredTensor], config: Mapping[str, Any]) -> tuple[str, Found | str]:
    """Return a kind's title and what it made of a tensor, or why it could make nothing of it; nothing if it is of no kind."""
    name = stored.name
    for kind, end in _possible(name[name.rfind(".") + 1 :]):
        if not name.endswith(end):
            continue
        try:
            found = kind.find(Parts(stored, name.removesuffix(end), tensors, config))
        except UnfitError as fault:
            return kind.title, str(fault)
        if found is not None and found.tensor.name in tensors and found.tensor.name not in found.parts:
            return kind.title, "the file also holds the weight unpacked"
        if found is not None:
            return kind.title, found
    return "", ""


@functools.lru_cache(maxsize=4096)
def _possible(last: str) -> tuple[tuple[Kind, str], ...]:
    """Return what a name can be of, by the part behind its last dot: few parts are shared by a model's thousands of names."""
    return tuple((kind, end) for kind, end in _TRIED if last.endswith(end) or end.endswith(last))


def _sentence(title: str, left: Sequence[tuple[str, str]]) -> str:
    names = quote_some([name for name, _ in left], _SHOWN)
    count = "1 weight" if len(left) == 1 else f"{len(left)} weights"
    return f"{title}: {count} ({names}) left as stored, not decoded: {left[0][1]}."
