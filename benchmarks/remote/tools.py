"""The tools that are measured: how each is asked, and what its JSON says."""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.remote.running import Run

_LINKED = frozenset({"identical", "same-weights", "derived", "related", "shares-components"})
_COPIES = frozenset({"EXACT_COPY", "QUANTIZED_COPY", "FINE_TUNE", "SAME_LINEAGE", "LIKELY_MERGE"})


@dataclass(frozen=True)
class Answer:
    """What a tool said.

    Attributes:
        verdict: Its own word, or what went wrong.
        linked: Whether that says that the models are linked; None if it says neither.
        log10_p: Of the link, where the tool gives one.
        probability: Its own probability of the link, where it gives one.
    """

    verdict: str
    linked: bool | None = None
    log10_p: float | None = None
    probability: float | None = None

    @property
    def surety(self) -> str:
        """How sure the tool is, in its own measure."""
        if self.log10_p is not None:
            return f"p = 1e{math.ceil(self.log10_p)}" if self.log10_p < -2 else f"p = {10**self.log10_p:.2g}"
        return "" if self.probability is None else f"P = {self.probability:.3f}"


@dataclass(frozen=True)
class Tool:
    """One tool in one mode.

    Attributes:
        name: What the table calls it.
        compare: Its arguments for comparing two models, which follow.
        scan: For finding a model's origin among known ones.
        add: For making a model known.
        read: What its JSON says of a comparison or a scan.
    """

    name: str
    compare: Sequence[str]
    scan: Sequence[str]
    add: Sequence[str]
    read: Callable[[Mapping[str, Any]], Answer]

    def answer(self, run: Run) -> Answer:
        """Return what it said."""
        try:
            return Answer(run.complaint) if run.said is None else self.read(run.said)
        except (KeyError, TypeError) as error:
            return Answer(f"an answer without {error}")


def _ours(document: Mapping[str, Any]) -> Answer:
    result = document["result"]
    verdict = str(result["verdict"])
    if "lineage" in result:
        log10_p = result["lineage"]["log10_p"]
    else:  # a scan's
        log10_p = min((each["log10_p"] for each in [*result["relatives"], *result["others"]]), default=None)
    return Answer(verdict, True if verdict in _LINKED else False if verdict == "independent" else None, log10_p)


def _theirs(document: Mapping[str, Any]) -> Answer:
    found = document["verdict"]
    verdict = str(found["verdict"])
    linked = True if verdict in _COPIES else False if verdict == "NO_MATCH" else None
    return Answer(verdict, linked, probability=found["probability"])


def ours(name: str, *options: str) -> Tool:
    """`tensorguard`, told how much to read."""
    start = (sys.executable, "-m", "tensorguard")
    return Tool(
        name,
        compare=(*start, "compare", "--json", "--quiet", *options),
        scan=(*start, "scan", "--json", "--quiet", *options),
        add=(*start, "registry", "add", "--json", *options),
        read=_ours,
    )


def modeldna(python: Path) -> Tool:
    """`modeldna` in its fast mode: its default, but for `db add`."""
    start = (str(python), "-m", "benchmarks.remote.modeldna_cli")
    return Tool("modeldna", (*start, "compare", "--json"), (*start, "scan", "--json"), (*start, "db", "add", "--fast"), _theirs)
