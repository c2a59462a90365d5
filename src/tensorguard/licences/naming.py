"""Whether a model's name satisfies a licence's `name` duty, such as that of Llama 3.1 and later: the name must begin with "Llama"."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from tensorguard.licences.licence import Duty

Place = Literal["begins", "begins loosely", "elsewhere", "absent"]

_SEPARATORS = " _-"
"""What names write for a space."""

_DRESSING = re.compile(r"^[^\w(\[]+|\s+$")
"""Marks of headings, pictographs and blanks around a title."""


@dataclass(frozen=True, slots=True)
class Naming:
    """How a name stands to a duty.

    Attributes:
        name: The bare name that was looked at; untrusted text.
        prefix: The words that it has to begin with.
        place: `begins`: as the licence spells them, a space written as space, hyphen, underscore or not at all; `begins loosely`: in
            another case, or as a part of a longer word or number (`Llamantino`, `Llama-30b` for `Llama 3`); `elsewhere`: they stand
            further behind (`My-Llama`), which does not satisfy the duty; `absent`.
    """

    name: str
    prefix: str
    place: Place

    @property
    def satisfied(self) -> bool:
        """Whether the name begins with the words, strictly or loosely."""
        return self.place in ("begins", "begins loosely")


def bare_name(name: str) -> str:
    """Return what a model is called, of a repository, URL, path or title: `org/Llama-x` and `https://host/org/Llama-x/` are `Llama-x`.

    Headings' marks and pictographs before a title do not count, nor do forms of letters that Unicode calls compatible (NFKC).
    A folder of the hub's cache, `models--org--name`, is read as what it stands for.
    """
    text = unicodedata.normalize("NFKC", name).strip().rstrip("/\\")
    last = re.split(r"[/\\]", text)[-1]
    if last.startswith("models--"):
        last = last.split("--")[-1]
    return _DRESSING.sub("", last)


def naming(name: str, prefix: str) -> Naming:
    """Return how a name stands to the words that it has to begin with.

    Args:
        name: Repository, URL, path or title; untrusted text.
        prefix: Such as `Llama 3`.
    """
    bare = bare_name(name)
    words = f"[{_SEPARATORS}]*".join(map(re.escape, prefix.split()))
    if found := re.match(words, bare):
        return Naming(bare, prefix, "begins loosely" if _continues(bare, found.end()) else "begins")
    if re.match(words, bare, re.IGNORECASE):
        return Naming(bare, prefix, "begins loosely")
    return Naming(bare, prefix, "elsewhere" if re.search(words, bare, re.IGNORECASE) else "absent")


def satisfies(name: str, duty: Duty) -> bool:
    """Say whether a name satisfies a `name` duty, that is one of its alternatives; a duty that names no words cannot be checked.

    Raises:
        ValueError: The duty is of another kind, or names no words.
    """
    if duty.kind != "name" or not duty.value:
        raise ValueError(f"{duty.id} is no naming duty that can be checked")
    return any(naming(name, prefix).satisfied for prefix in duty.alternatives)


def _continues(name: str, end: int) -> bool:
    """Say whether the word or number in which a prefix ends goes on: letters after a letter, digits after a digit."""
    rest = name[end : end + 1]
    return (name[end - 1].isalpha() and rest.isalpha()) or (name[end - 1].isdigit() and rest.isdigit())
