"""Licences and what they oblige those to who derive from a model; facts with their source, not legal advice."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

import msgspec

from tensorguard.registry.catalogue import known

DutyKind = Literal[
    "name", "display", "notice", "licence-text", "attribution", "state-changes", "use-restrictions", "non-commercial",
    "threshold", "outputs", "same-licence", "pass-on-terms", "other",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Duty:
    """One thing that a licence asks of derivatives.

    Attributes:
        id: Unique within the licence, such as `name-prefix`.
        kind: What sort of duty it is.
        text: What is to be done, one plain sentence.
        clause: Where the licence says so, such as `1.b.i`.
        value: What a machine can check: the prefix of a `name`, the words of a `display` or `notice`, the ids that a `same-licence`
            accepts, a `threshold` such as `700000000 monthly-active-users`; alternatives are set apart by ` | `. Empty if nothing.
        quote: The licence's own words, short; empty if not at hand.
    """

    id: str
    kind: DutyKind
    text: str
    clause: str
    value: str = ""
    quote: str = ""

    @property
    def alternatives(self) -> tuple[str, ...]:
        """What satisfies the duty, any one of these; empty if a machine cannot check it."""
        return tuple(self.value.split(" | ")) if self.value else ()


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence as it applies to models.

    Attributes:
        id: As model cards give it (`llama3.1`, `apache-2.0`, `gemma`, ...); lower case.
        name: Its full name.
        version: Version or date.
        spdx: SPDX id, empty if it has none.
        aliases: Other ids and names by which cards call it, lower case.
        source: URL of the text.
        checked: When, and against what, the data was checked; says so if it was not checked against the text itself.
        permissive: Whether it asks for no more than notices.
        commercial: `yes`, `no` or `conditions`.
        relicensing: Whether a derivative may be put under another, more permissive licence.
        duties: What it asks of derivatives.
    """

    id: str
    name: str
    version: str
    spdx: str
    aliases: tuple[str, ...]
    source: str
    checked: str
    permissive: bool
    commercial: str
    relicensing: bool
    duties: tuple[Duty, ...]

    def duty(self, kind: DutyKind) -> Duty | None:
        """Return the first duty of a kind, or None."""
        return next((each for each in self.duties if each.kind == kind), None)


_BEGINNING = 600
"""Characters of a licence's text in which its title is looked for."""

_TAG = re.compile(r"<[^<>]{1,100}>")

_FILLING = frozenset({"the", "license", "licence", "agreement", "v", "version"})
"""Words that cards add to a licence's name or leave out."""


msgspec.json.Decoder(Licence)  # now: msgspec 0.22 may crash where several threads ask for one type for the first time


@cache
def licences() -> Mapping[str, Licence]:
    """Return all known licences by id, in the order of their ids.

    Raises:
        msgspec.ValidationError: A file that ships with the package is malformed; tests exclude it.
    """
    folder = files("tensorguard.licences") / "data"
    found = [
        msgspec.json.decode(entry.read_bytes(), type=Licence) for entry in folder.iterdir() if entry.name.endswith(".json")
    ]
    return MappingProxyType({each.id: each for each in sorted(found, key=lambda each: each.id)})


def identify(text: str) -> Licence | None:
    """Return the licence that a card's id, a name, an SPDX id, a URL or the beginning of a licence's text means, or None.

    `other`, `unknown` and what is not in the data are None: such a licence has to be read.

    Args:
        text: Untrusted; case, hyphens, spaces and words such as `License` do not count.
    """
    text = text.strip()[:_BEGINNING]
    if re.match(r"https?://\S+$", text):
        return _by_name().get(_address(text)) or _of_repository(_address(text))
    lines = text.splitlines()
    if len(lines) < 2:
        return _by_name().get(_key(text))
    return _titled(_key(" ".join(lines))) or _by_name().get(_key(lines[0]))


@cache
def _by_name() -> Mapping[str, Licence]:
    found: dict[str, Licence] = {}
    for licence in licences().values():
        for name in (licence.id, licence.name, licence.spdx, licence.source, *licence.aliases):
            found.setdefault(_address(name) if "://" in name else _key(name), licence)
    found.pop("", None)
    return MappingProxyType(found)


def _of_repository(address: str) -> Licence | None:
    """Return the licence of a known model at whose licence file on the hub an address points."""
    found = re.fullmatch(r"(?:huggingface\.co|hf\.co)/([^/]+/[^/]+)/[^/]*licen[cs]e[^/]*", address)
    row = known(found[1]) if found else None
    return _by_name().get(_key(row.licence)) if row else None


def _titled(beginning: str) -> Licence | None:
    """Return the licence with whose name a text begins, the longest of those; one word is no title."""
    found = [name for name in _by_name() if " " in name and f"{beginning} ".startswith(f"{name} ")]
    return _by_name()[max(found, key=len)] if found else None


def _key(name: str) -> str:
    """Return a name's words without what cards spell differently: `Llama 3.1 Community License Agreement`, `llama-3.1-community`."""
    words = re.findall(r"[a-z]+|\d+(?:\.\d+)*", _TAG.sub(" ", name.casefold()))
    return " ".join(word.removesuffix(".0") for word in words if word not in _FILLING)


def _address(url: str) -> str:
    """Return what two spellings of one URL share: host and path, lower case, without `www.`, query, suffix and the hub's views."""
    path = re.sub(r"^https?://(www\.)?", "", url.casefold())
    path = re.split(r"[?#]", path)[0].rstrip("/")
    return re.sub(r"/(blob|raw|resolve|tree)/[^/]+/", "/", re.sub(r"\.(md|txt|html?|pdf)$", "", path))
