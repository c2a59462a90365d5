"""Which known models a declared base means. Names are compared, never opened and never fetched."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tensorguard.licences.claim import Claim
from tensorguard.licences.claims import Claims
from tensorguard.registry.catalogue import known
from tensorguard.registry.entry import Entry

_HOST = re.compile(r"^(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/(?:models/)?|^hf://", re.IGNORECASE)
_VIEW = re.compile(r"/(?:tree|blob|resolve|raw)/.*$|@[\w.-]+$")
_PACKAGING = re.compile(r"(?:-(?:gguf|gptq|awq|exl2|mlx|bnb|hf|bf16|fp16|fp8|int8|int4|[48]-?bit|unsloth))+$")
"""Endings of repositories that hold another's weights in another form."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A base that a model declares.

    Attributes:
        name: As it is declared; untrusted text.
        sources: Where: files and keys.
        entries: The registry's entries that it means.
        exact: Whether they are it by repository, or by a name that leaves no choice; else only the last part of the name agrees, as
            for a mirror under another publisher.
    """

    name: str
    sources: tuple[str, ...]
    entries: tuple[Entry, ...]
    exact: bool


def declared_bases(claims: Claims, entries: Sequence[Entry]) -> tuple[Declared, ...]:
    """Return the bases that a model declares, in its own order, each with the entries that it means."""
    said: dict[str, list[Claim]] = {}
    for each in (*claims.of("base_model"), *claims.of("merge_parent")):
        said.setdefault(repository(each.value).casefold(), []).append(each)
    made = []
    for same in said.values():
        found, exact = matching(same[0].value, entries)
        made.append(Declared(same[0].value, tuple(dict.fromkeys(each.source for each in same)), found, exact))
    return tuple(made)


def matching(name: str, entries: Iterable[Entry]) -> tuple[tuple[Entry, ...], bool]:
    """Return the entries that a name means, and whether that is beyond doubt: the best kind of agreement alone counts."""
    by_kind: dict[int, list[Entry]] = {}
    for entry in entries:
        kinds = [_agreement(name, each) for each in (entry.facts.repository, entry.name) if each]
        if any(kinds):
            by_kind.setdefault(max(kinds), []).append(entry)
    best = max(by_kind, default=0)
    return tuple(by_kind.get(best, ())), best > _ALIKE


def means(name: str, other: str) -> bool:
    """Say whether two names are of one model beyond doubt."""
    return _agreement(name, other) > _ALIKE


def repository(name: str) -> str:
    """Return `org/name` of a URL or a revision of it; other names as they are, without what surrounds them."""
    return _VIEW.sub("", _HOST.sub("", name.strip())).strip("/ ")


_ALIKE, _NAMED, _SAME = 1, 2, 3


def _agreement(name: str, other: str) -> int:
    """Return how well two names agree: `_SAME` repository, the same `_NAMED` where one has no publisher, names `_ALIKE`, 0 not."""
    one, two = repository(name), repository(other)
    if one.casefold() == two.casefold():
        return _SAME
    facts = known(one)
    if facts is not None and facts is known(two):
        return _SAME
    if _key(one) != _key(two) or not _key(one):
        return 0
    plain = _last(one).casefold() == _last(two).casefold()
    return _NAMED if plain and not ("/" in one and "/" in two) else _ALIKE


def _last(name: str) -> str:
    return re.split(r"[\\/]", name)[-1]


def _key(name: str) -> str:
    """Return what is left of a name without publisher, spelling and packaging: `Meta-Llama-3-8B-bnb-4bit` is `llama-3-8b`."""
    key = re.sub(r"[\s_]+", "-", _last(name).casefold())
    return _PACKAGING.sub("", key).removeprefix("meta-")
