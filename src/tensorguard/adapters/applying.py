"""A base and an adapter to one model, whose tensors are computed block by block as they are read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tensorguard.adapters.base import AdaptedTensor, AddedTensor, WholeTensor
from tensorguard.adapters.dora import DoraTensor
from tensorguard.adapters.factors import AdapterTensors, sort_tensors
from tensorguard.adapters.kinds import kind_of
from tensorguard.adapters.lowrank import LowRank
from tensorguard.adapters.matching import OTHER_BASE, BaseTensors
from tensorguard.adapters.settings import Settings
from tensorguard.errors import InputError, quote, quote_some
from tensorguard.formats.adapter import AdapterFiles
from tensorguard.formats.base import Checkpoint
from tensorguard.quantisations.unpacking import unpacked
from tensorguard.tensors.base import Stored
from tensorguard.tensors.decoding import FLOATS
from tensorguard.tensors.storage import stored_tensors

_VOCABULARIES = frozenset(
    {"embed_tokens", "lm_head", "wte", "word_embeddings", "shared", "embed_in", "embed_out", "tok_embeddings", "decoder"}
)
"""Modules whose rows are tokens: an adapter may bring them with more rows than the base has."""


@dataclass(frozen=True)
class AdaptedModel:
    """A base under an adapter.

    Attributes:
        tensors: All tensors in the base's order, then those that the base lacks.
        changed: Name -> kind of adapter, of every tensor that is not the base's own; `replaced` or `new` for whole tensors.
        notices: Things a user should know, one sentence each.
    """

    tensors: tuple[Stored, ...] = field(repr=False)
    changed: Mapping[str, str]
    notices: tuple[str, ...]


def adapted(base: Checkpoint, adapter: AdapterFiles) -> AdaptedModel:
    """Apply an adapter to a base.

    The adapter's factors are read once, to check them; of the base nothing but its headers.

    Raises:
        InputError: The adapter is malformed, broken, for another base, or of a kind that cannot be applied exactly.
    """
    if base.container != "safetensors":
        raise InputError(
            f"an adapter cannot be applied to a {base.container.upper()} base: its tensors have other names and layouts",
            where=base.location,
            hint="give the base as safetensors",
        )
    settings = Settings(adapter.config, adapter.location)
    kind = kind_of(settings)
    found = sort_tensors(stored_tensors(adapter.tensors), kind.factors, adapter.location)
    meant = unpacked(stored_tensors(base.tensors), base.config)
    tensors = BaseTensors(meant.tensors, settings)
    changed = _put_whole(found, tensors, settings)
    planned: dict[str, AdaptedTensor] = {}
    for tensor in kind.adapt(settings, found.modules, tensors):
        if tensor.name in planned:
            settings.refuse(f"it changes {quote(tensor.name)} twice")
        planned[tensor.name] = tensor
    for name, tensor in planned.items():
        tensors.exchange(name, tensor)
        changed[name] = kind.title
    if not changed and kind.title != "soft prompt":
        settings.refuse("it changes nothing: it holds no factors")
    notices = (*meant.notices, _summary(kind.title, settings, planned), *_whole_notices(changed))
    return AdaptedModel(tuple(tensors), changed, notices)


def _put_whole(found: AdapterTensors, tensors: BaseTensors, settings: Settings) -> dict[str, str]:
    """Exchange the base's tensors for those that the adapter stores whole; return what was done to each."""
    done: dict[str, str] = {}
    saved = frozenset(name.rpartition(".")[2] for name in settings.names("modules_to_save"))
    for name, stored in found.whole.items():
        module = name.rpartition(".")[0].rpartition(".")[2]
        old = tensors.find(name)
        if old is None:
            if module not in saved:
                reason = f"it is for another base, which has {quote(name)}; this one does not"
                settings.refuse(reason, OTHER_BASE)
            tensors.exchange(name, WholeTensor(name, stored.dtype, stored))
            done[name] = "new"
            continue
        grown = len(old.shape) == 2 and stored.shape[1:] == old.shape[1:] and module in _VOCABULARIES | saved
        if stored.shape != old.shape and not grown:
            settings.refuse(f"it has {quote(name)} of shape {list(stored.shape)}, this base {list(old.shape)}", OTHER_BASE)
        if stored.dtype != old.dtype and not {stored.dtype, old.dtype} <= FLOATS:
            settings.refuse(f"it has {quote(name)} as {quote(stored.dtype)}, this base as {quote(old.dtype)}", OTHER_BASE)
        if old.name in done:
            settings.refuse(f"it replaces {quote(old.name)} twice")
        done[old.name] = "replaced"
        tensors.exchange(old.name, WholeTensor(old.name, old.dtype, stored))
    return done


def _summary(title: str, settings: Settings, planned: Mapping[str, AdaptedTensor]) -> str:
    if title == "soft prompt":
        count = settings.number("num_virtual_tokens", 0)
        return f"The adapter is a soft prompt of {count:g} virtual tokens: the base's weights are unchanged."
    kind = "DoRA" if any(isinstance(tensor, DoraTensor) for tensor in planned.values()) else title
    pairs = [
        tensor.update
        for tensor in planned.values()
        if isinstance(tensor, AddedTensor | DoraTensor) and isinstance(tensor.update, LowRank)
    ]
    text = f"{kind} changes {_count(len(planned), 'tensor')} of the base"
    if pairs:
        text += f", rank {_span(pair.up.shape[1] for pair in pairs)}, scale {_span(pair.scale for pair in pairs)}"
    return f"{text}."


def _span(values: Iterable[float]) -> str:
    found = sorted(set(values))
    return f"{found[0]:g}" if len(found) == 1 else f"{found[0]:g} to {found[-1]:g}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _whole_notices(changed: Mapping[str, str]) -> list[str]:
    notices = []
    for word, says in (
        ("replaced", "Trained as a whole and taken from the adapter"),
        ("new", "Not in the base, from the adapter"),
    ):
        names = [name for name, what in changed.items() if what == word]
        if names:
            notices.append(f"{says}: {_count(len(names), 'tensor')} ({quote_some(names, 4)}).")
    return notices
