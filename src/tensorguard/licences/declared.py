"""Which known models a declared base means. Names are compared, never opened and never fetched."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from tensorguard.licences.claim import Claim
from tensorguard.licences.claims import Claims
from tensorguard.registry.catalogue import known
from tensorguard.registry.entry import Entry
from tensorguard.registry.registry import Registry

_HOST = re.compile(r"^(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/(?:models/)?|^hf://", re.IGNORECASE)
_VIEW = re.compile(r"/(?:tree|blob|resolve|raw)/.*$|@[\w.-]+$")
_PACKAGING = re.compile(r"(?:-(?:gguf|gptq|awq|exl2|mlx|bnb|hf|bf16|fp16|fp8|int8|int4|[48]-?bit|unsloth))+$")
"""Endings of repositories that hold another's weights in another form."""
_PIECES = re.compile("[a-z0-9.]+")
"""Parts of a key that stand in every name that comes down to it, in this order and in some case."""


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


class Names(Protocol):
    """Tells which known models a name means."""

    def matching(self, name: str) -> tuple[tuple[Entry, ...], bool]:
        """Return the entries that a name means, and whether that is beyond doubt."""


class Directory:
    """Some entries by everything that they may be called.

    The best kind of agreement alone counts: the same repository (also by a name that the catalogue knows for it), the same name where one
    of the two has no publisher, and last names that agree but for publisher and packaging, which leaves doubt.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._same: dict[str, list[Entry]] = {}
        self._named: dict[str, list[tuple[Entry, bool]]] = {}
        self._alike: dict[str, list[Entry]] = {}
        for entry in entries:
            for name in dict.fromkeys(repository(each) for each in (entry.facts.repository, entry.name) if each):
                self._same.setdefault(_canonical(name), []).append(entry)
                self._named.setdefault(_last(name).casefold(), []).append((entry, "/" in name))
                self._alike.setdefault(_key(name), []).append(entry)

    def matching(self, name: str) -> tuple[tuple[Entry, ...], bool]:
        """Return the entries that a name means, and whether that is beyond doubt."""
        own = repository(name)
        if not _key(own):
            return (), False
        found = self._same.get(_canonical(own)) or [
            entry for entry, full in self._named.get(_last(own).casefold(), []) if not (full and "/" in own)
        ]
        return (_unique(found), True) if found else (_unique(self._alike.get(_key(own), [])), False)


class Lookup:
    """A registry's entries by name: of each name asked for, those that it may mean are looked up."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._found: dict[str, tuple[tuple[Entry, ...], bool]] = {}

    def matching(self, name: str) -> tuple[tuple[Entry, ...], bool]:
        """See `Directory.matching`."""
        if name not in self._found:
            facts = known(repository(name))
            names = (repository(name), *((facts.repository, *facts.aliases) if facts else ()))
            keys = dict.fromkeys(_key(each) for each in names)
            self._found[name] = Directory(entry for key in keys if key for entry in self._of(key)).matching(name)
        return self._found[name]

    def _of(self, key: str) -> list[Entry]:
        """Return the entries of which a name comes down to a key."""
        return self._registry.called(_PIECES.findall(key), lambda name: _key(repository(name)) == key)


def declared_bases(claims: Claims, known: Names) -> tuple[Declared, ...]:
    """Return the bases that a model declares, in its own order, each with the entries that it means."""
    said: dict[str, list[Claim]] = {}
    for each in (*claims.of("base_model"), *claims.of("merge_parent")):
        said.setdefault(repository(each.value).casefold(), []).append(each)
    made = []
    for same in said.values():
        found, exact = known.matching(same[0].value)
        made.append(Declared(same[0].value, tuple(dict.fromkeys(each.source for each in same)), found, exact))
    return tuple(made)


def recorded_origins(claims: Claims, known: Names) -> tuple[Declared, ...]:
    """Return the known models that files say the model was saved from or converted from, where a name leaves no doubt.

    Paths of somebody's disk, which most of these are, mean nothing here.
    """
    made = []
    for each in {repository(claim.value).casefold(): claim for claim in reversed(claims.of("origin"))}.values():
        found, exact = known.matching(each.value) if re.fullmatch(r"[\w.-]+/[\w.-]+", repository(each.value)) else ((), False)
        if exact:
            made.append(Declared(each.value, (each.source,), found, exact))
    return tuple(made)


def means(name: str, other: str) -> bool:
    """Say whether two names are of one model beyond doubt."""
    one, two = repository(name), repository(other)
    if _canonical(one) == _canonical(two):
        return True
    return _last(one).casefold() == _last(two).casefold() != "" and not ("/" in one and "/" in two)


def repository(name: str) -> str:
    """Return `org/name` of a URL or a revision of it; other names as they are, without what surrounds them."""
    return _VIEW.sub("", _HOST.sub("", name.strip())).strip("/ ")


def _canonical(name: str) -> str:
    """Return one spelling for all names of a repository that the catalogue knows."""
    facts = known(name)
    return (facts.repository if facts is not None else name).casefold()


def _last(name: str) -> str:
    return re.split(r"[\\/]", name)[-1]


def _key(name: str) -> str:
    """Return what is left of a name without publisher, spelling and packaging: `Meta-Llama-3-8B-bnb-4bit` is `llama-3-8b`."""
    key = re.sub(r"[\s_]+", "-", _last(name).casefold())
    return _PACKAGING.sub("", key).removeprefix("meta-")


def _unique(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    return tuple({entry.name: entry for entry in entries}.values())
