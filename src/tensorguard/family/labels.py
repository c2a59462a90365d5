"""Which model descends from which base, as people know it: the truth that clusters are measured against."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tensorguard.errors import InputError, UsageError, quote
from tensorguard.family.documents import read_typed
from tensorguard.limits import MAX_BASES


@dataclass(frozen=True, slots=True)
class Labels:
    """A labels file: JSON with these two keys; others are for reading.

    Attributes:
        bases: Names of the base models, in the order of their clusters.
        labels: Model name (stem of its features file) to the name of its base.
    """

    bases: tuple[str, ...]
    labels: Mapping[str, str]


def load_labels(path: Path) -> Labels:
    """Read a labels file.

    Raises:
        NotFoundError: There is no such file.
        InputError: It is malformed, names a base twice, or labels a model with something that is not a base.
    """
    labels = read_typed(path, Labels, "a labels file")
    if not 1 <= len(labels.bases) <= MAX_BASES:
        raise InputError(f"names {len(labels.bases)} bases; there must be 1 to {MAX_BASES}", where=path)
    if len(set(labels.bases)) < len(labels.bases):
        raise InputError("names a base twice", where=path)
    bases = set(labels.bases)
    for model, base in labels.labels.items():
        if base not in bases:
            raise InputError(f"labels {quote(model)} with {quote(base)}, which is not among its bases", where=path)
        if model in bases and base != model:
            raise InputError(f"labels the base {quote(model)} as a descendant of {quote(base)}", where=path)
    return labels


def require_known(bases: Sequence[str], names: Iterable[str]) -> None:
    """Check that every base is one of the models.

    Raises:
        UsageError: None was given, one is given twice, or one is not there; the message offers the closest names.
    """
    if not bases:
        raise UsageError("no base models were named", hint="name them with --bases, or give --labels a file that does")
    known = set(names)
    for index, base in enumerate(bases):
        if base in bases[:index]:
            raise UsageError(f"the base {quote(base)} is named twice")
        if base not in known:
            close = ", ".join(quote(name) for name in difflib.get_close_matches(base, sorted(known), 3))
            hint = f"did you mean {close}?" if close else "bases are named by the stem of their features file"
            raise UsageError(f"no model is called {quote(base)}", hint=hint)
