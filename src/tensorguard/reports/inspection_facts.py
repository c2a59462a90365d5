"""The first table of `inspect`: what a newcomer asks of a model, a line each."""

from collections import Counter
from collections.abc import Sequence

from tensorguard.errors import quote
from tensorguard.inspection.base import Dimensions, Inspection, Reading, Recognition
from tensorguard.reports.sizes import share, size

Fact = tuple[str, str]
_SHOWN, _MOST_TARGETS = 4, 12
_FIRST = ("architecture", "shape", "stored as", "files", "kind", "changes")
_TOWERS = {"language": "architecture", "projector": "projector"}


def facts(found: Inspection) -> list[Fact]:
    """Return (what, value) of a whole model."""
    held, dims = found.inventory, found.dimensions
    if held is None or dims is None:
        return []
    told = [(_TOWERS.get(each.tower, f"{each.tower} tower"), _recognised(each)) for each in found.recognition]
    told += _shape(_blocks(found), dims)
    told.append(("parameters", f"{held.parameters:,}"))
    if dims.active is not None:
        told.append(("active per token", f"{dims.active:,}: {dims.used} of {dims.experts} experts, says its configuration"))
    told += [("stored as", _stored(found)), ("files", _files(found)), ("understood", _understood(found))]
    if found.reading:
        told.append(("a comparison reads", "; ".join(_reads(each, found) for each in found.reading)))
    return told + _cost(found)


def adapter_facts(found: Inspection) -> list[Fact]:
    """Return (what, value) of an adapter without its base."""
    adapter = found.adapter
    if adapter is None:
        return []
    named = _plain(adapter.kind) or "not stated"
    told = [
        ("kind", named if adapter.known else f"{named}: cannot be applied here, merge it with PEFT first"),
        ("base, says its configuration", _plain(adapter.base) or "not stated"),
    ]
    if adapter.rank:
        told.append(("rank", " to ".join(f"{rank:,}" for rank in sorted(set(adapter.rank)))))
    modules = [each for each in adapter.modules if each.target]
    targets = ", ".join(dict.fromkeys(_plain(each.target) for each in modules[:_MOST_TARGETS]))
    count = sum(each.modules for each in modules)
    told.append(("changes", f"{_many(count, 'module')}: {targets}" if count else "no module"))
    if adapter.whole:
        told.append(("brings whole", _many(len(adapter.whole), "tensor")))
    told += [("parameters", f"{adapter.parameters:,}"), ("files", _files(found))]
    return told + _cost(found)


def headline(told: Sequence[Fact]) -> list[Fact]:
    """Return the facts that stand beside the answer on the page."""
    return [fact for fact in told if fact[0] in _FIRST]


def _cost(found: Inspection) -> list[Fact]:
    if found.traffic is None:
        return []
    return [("read to tell this", f"{size(found.traffic.read)} of {size(found.traffic.offered)}, over the network")]


def _recognised(each: Recognition) -> str:
    if not each.table:
        return f"no table of names fits its {each.tensors:,} tensors: roles are told from shapes and repetition"
    known = "all" if each.known == each.tensors else f"{each.known:,} of"
    return f"{each.table}: its names fit {known} {each.tensors:,} tensors"


def _blocks(found: Inspection) -> str:
    """Say how many blocks each tower has; cross attention is part of the decoder's."""
    counts = Counter(each.tower for each in found.blocks if each.layer is not None and each.tower != "cross")
    if len(counts) < 2:
        return f"{counts.total():,} blocks"
    return " and ".join(f"{count:,} {tower}" for tower, count in counts.items()) + " blocks"


def _shape(blocks: str, dims: Dimensions) -> list[Fact]:
    words = [blocks]
    if dims.width:
        words.append(f"width {dims.width:,}")
    if dims.feed_forward:
        words.append(f"feed-forward {' or '.join(f'{each:,}' for each in dims.feed_forward)}")
    if dims.experts:
        words.append(f"{dims.experts:,} experts")
    if dims.vocabulary:
        words.append(f"vocabulary {dims.vocabulary:,}")
    told = [("shape", ", ".join(words))]
    if dims.query and dims.key and dims.head:
        heads = f"{dims.query // dims.head:,} heads of {dims.head}, {dims.key // dims.head:,} of keys and values"
        told.append(("attention", heads))
    elif dims.query and dims.key:
        told.append(("attention", f"queries of {dims.query:,}, keys of {dims.key:,}; nothing says how many heads"))
    elif dims.latent:
        told.append(("attention", f"latent (MLA): keys and values through {dims.latent:,} numbers"))
    told.append(("output head", dims.output))
    return told


def _stored(found: Inspection) -> str:
    words = [f"{each.dtype} {share(each.bytes, found.storage.parameters)}" for each in found.encodings[:_SHOWN]]
    more = len(found.encodings) - len(words)
    return ", ".join(words) + (f", {more} more" if more > 0 else "")


def _files(found: Inspection) -> str:
    count, tensors = len(found.files), sum(each.tensors for each in found.files)
    return f"{_many(count, 'file')}, {size(found.storage.files)}, {_many(tensors, 'tensor')} ({found.container})"


def _understood(found: Inspection) -> str:
    stored = found.storage
    words = [f"{share(stored.tensors - stored.aside, stored.tensors)} of the bytes of its tensors"]
    if stored.copies:
        words.append(f"{size(stored.copies)} of them repeat others (tied)")
    if stored.aside:
        words.append(f"{size(stored.aside)} left out")
    return "; ".join(words)


def _reads(each: Reading, found: Inspection) -> str:
    whole = found.storage.tensors
    if each.name == "full":
        kernels = any(part.group == "convolutions" for part in found.parts)
        return f"in full {size(each.bytes)} ({share(each.bytes, whole)}{', not the convolutions' if kernels else ''})"
    if each.bytes == each.most:
        return f"quick about {size(each.bytes)} ({share(each.bytes, whole)})"
    return f"quick about {size(each.bytes)} to {size(each.most)} ({share(each.bytes, whole)} to {share(each.most, whole)})"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _plain(text: str) -> str:
    return quote(text)[1:-1]
