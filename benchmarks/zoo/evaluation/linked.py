"""Linked pairs: is every derivative found, under the right kind, and from the right base?"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.zoo.evaluation.comparing import compare_all
from benchmarks.zoo.manifest import Entry
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.lineage.mixture import mixture
from tensorguard.lineage.verdict import Lineage

ALARM = -6.0

KINDS: Mapping[str, tuple[str, ...]] = {
    "copy": ("cast", ""),
    "continued": ("continued", "fine-tuned"),
    "fine-tuned": ("fine-tuned", "continued"),
}
"""What the zoo calls a thing -> what counts as its right name; "" is no difference at all. How long a training was is no kind."""


NAMED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("lora-merged", "dora-merged", "ia3-merged"), ("adapter", "fine-tuned", "continued")),
    "disguised-ft": ("disguised",),
    "upcycled-ft": ("upcycled",),
}
"""Transformations in two steps, and merged adapters: what counts as the right name, in place of `KINDS`."""


@dataclass(frozen=True)
class Found:
    """A derivative against one of its bases.

    Attributes:
        name: The derivative.
        base: The base.
        transformation: What was done.
        kind: The zoo's word for it.
        verdict: The verdict.
        log10_p: Corrected.
        how: How the p-value was come by.
        certain: Whether equal values decide.
        effect: Largest excess of T.
        kinds: The kinds named.
        kind_right: Whether the true kind is among them.
        nearest: The base of the split that it was found to be closest to.
        nearest_right: Whether that is one of its own.
        direction_right: Whether the derivative was named as the child; None where no direction was given.
    """

    name: str
    base: str
    transformation: str
    kind: str
    verdict: str
    log10_p: float
    how: str
    certain: bool
    effect: float
    kinds: tuple[str, ...]
    kind_right: bool
    nearest: str
    nearest_right: bool
    direction_right: bool | None

    @property
    def found(self) -> bool:
        """Linked at the default threshold: by certain evidence or by a corrected p-value."""
        return self.verdict in ("identical", "same-weights", "derived", "related") and (self.certain or self.log10_p <= ALARM)


def linked(entries: Sequence[Entry], prints: Mapping[str, Fingerprint], workers: int) -> list[Found]:
    """Compare every derivative with every base of its split."""
    bases = [entry.name for entry in entries if entry.relation in ("base", "shared-initialisation")]
    derived = [entry for entry in entries if entry.relation == "derived"]
    pairs = [(entry.name, base) for entry in derived for base in bases]
    answers = dict(zip(pairs, compare_all(pairs, prints, workers), strict=True))
    found = []
    for entry in derived:
        nearest = max(bases, key=lambda base: _closeness(answers[entry.name, base]))
        found += [_found(entry, base, answers[entry.name, base], nearest, prints) for base in entry.bases]
    return found


def _found(entry: Entry, base: str, answer: Lineage, nearest: str, prints: Mapping[str, Fingerprint]) -> Found:
    kinds = tuple(kind.name for kind in answer.kinds)
    return Found(
        name=entry.name,
        base=base,
        transformation=generic(entry),
        kind=entry.kind,
        verdict=answer.verdict,
        log10_p=answer.log10_p,
        how=answer.how,
        certain=answer.how == "certain",
        effect=answer.effect or 0.0,
        kinds=kinds,
        kind_right=_kind_right(entry, answer, kinds, prints),
        nearest=nearest,
        nearest_right=nearest in entry.bases,
        direction_right=None if answer.direction == "unknown" else answer.direction == "first from second",
    )


def generic(entry: Entry) -> str:
    """Return a transformation without the names of models in it."""
    return "merge-cross" if entry.transformation.startswith("merge-cross") else entry.transformation


def _closeness(answer: Lineage) -> tuple[float, float]:
    equal = answer.identity.equal / max(answer.identity.comparable, 1) if answer.identity else 0.0
    return max(equal, answer.effect or 0.0), -answer.log10_p


def _kind_right(entry: Entry, answer: Lineage, kinds: tuple[str, ...], prints: Mapping[str, Fingerprint]) -> bool:
    if entry.kind == "merged":
        return _merge_recognised(entry, prints)
    if answer.verdict in ("identical", "same-weights"):
        return entry.kind in ("copy", "disguised")
    wanted = NAMED.get(entry.transformation) or KINDS.get(entry.kind, (entry.kind,))
    return any(kind in wanted for kind in kinds) or (not kinds and "" in wanted)


def _merge_recognised(entry: Entry, prints: Mapping[str, Fingerprint]) -> bool:
    """A merge shows only beside its parents: the sum of them must be found, and no other candidate."""
    names = {*entry.parents, *([entry.base_column] if entry.base_column else [])}
    candidates = {name: prints[name].sketches for name in names if name in prints}
    child = prints[entry.name].sketches
    if child is None or len(candidates) != len(names):
        return False
    made = mixture(child, {n: s for n, s in candidates.items() if s is not None}, entry.base_column)
    return {parent.name for parent in made.parents} - {entry.base_column} == set(entry.parents)


def summarised(found: Sequence[Found], key: Callable[[Found], str]) -> list[dict[str, Any]]:
    """Summarise: a row per value of `key`."""
    groups: dict[str, list[Found]] = defaultdict(list)
    for each in found:
        groups[key(each)].append(each)
    return [{"name": name, **_summary(group)} for name, group in sorted(groups.items())]


def _summary(group: Sequence[Found]) -> dict[str, Any]:
    told = [each for each in group if each.direction_right is not None]
    hits = sum(each.found for each in group)
    return {
        "pairs": len(group),
        "found": hits,
        "found_95": wilson(hits, len(group)),
        "certain": sum(each.certain for each in group),
        "worst_log10_p": max(each.log10_p for each in group),
        "least_effect": min(each.effect for each in group),
        "how": sorted({each.how for each in group}),
        "kind_right": sum(each.kind_right for each in group),
        "kind_95": wilson(sum(each.kind_right for each in group), len(group)),
        "base_right": sum(each.nearest_right for each in group),
        "base_95": wilson(sum(each.nearest_right for each in group), len(group)),
        "direction_told": len(told),
        "direction_right": sum(bool(each.direction_right) for each in told),
    }


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a rate."""
    if not trials:
        return 0.0, 1.0
    z, p = 1.959964, hits / trials
    middle = (p + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    return max(0.0, middle - half), min(1.0, middle + half)
