"""Licences and what they oblige those to who derive from a model; facts with their source, not legal advice."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

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
        value: What a machine can check: the prefix of a `name`, the words of a `display` or `notice`; empty if nothing.
        quote: The licence's own words, short; empty if not at hand.
    """

    id: str
    kind: DutyKind
    text: str
    clause: str
    value: str = ""
    quote: str = ""


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


def licences() -> Mapping[str, Licence]:
    """Return all known licences by id."""
    raise NotImplementedError


def identify(text: str) -> Licence | None:
    """Return the licence that a card's id, a name, an SPDX id or a URL means, or None."""
    raise NotImplementedError
