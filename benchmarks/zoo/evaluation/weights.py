"""Merges: how far are the weights found from the true ones?"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.zoo.manifest import Entry
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.lineage.mixture import Mixture, mixture

EXACT = ("merge-linear", "merge-slerp", "merge-task-arithmetic")
"""Merges whose weights mean what they say; those of TIES are nominal, those of DARE expectations."""


@dataclass(frozen=True)
class Weighed:
    """A merge and the weights found.

    Attributes:
        name: The merge.
        transformation: How it was made.
        method: The method found.
        true: Weight of each parent.
        found: Weight of each parent, 0 where it was not found.
        error: Largest absolute error.
        inside: Whether every true weight lies in its interval.
        widest: Width of the widest interval.
        parents_right: Whether exactly the true parents were found.
        curve_error: Largest error of the curve over the blocks; None without one.
    """

    name: str
    transformation: str
    method: str
    true: dict[str, float]
    found: dict[str, float]
    error: float
    inside: bool
    widest: float
    parents_right: bool
    curve_error: float | None


def weigh(entries: Sequence[Entry], prints: Mapping[str, Fingerprint]) -> list[Weighed]:
    """Explain every merge whose weights are exact by its true parents, with a third fine-tune offered as well."""
    return [_weigh(entry, prints) for entry in entries if entry.transformation.startswith(EXACT) and _complete(entry, prints)]


def _complete(entry: Entry, prints: Mapping[str, Fingerprint]) -> bool:
    return entry.base_column is not None and all(name in prints for name in (*entry.parents, entry.base_column))


def _weigh(entry: Entry, prints: Mapping[str, Fingerprint]) -> Weighed:
    names = {*entry.parents, entry.base_column or ""} | {f"{entry.base_column}.ft-long"} & prints.keys()
    candidates = {name: sketches for name in sorted(names) if (sketches := prints[name].sketches) is not None}
    child = prints[entry.name].sketches
    assert child is not None
    made = mixture(child, candidates, entry.base_column)
    found = {parent.name: parent for parent in made.parents}
    errors = [abs(weight - (found[name].weight if name in found else 0.0)) for name, weight in entry.parents.items()]
    inside = all(name in found and found[name].low <= w <= found[name].high for name, w in entry.parents.items())
    return Weighed(
        name=entry.name,
        transformation=entry.transformation,
        method=made.method,
        true=entry.parents,
        found={name: parent.weight for name, parent in found.items()},
        error=max(errors),
        inside=inside,
        widest=max((parent.high - parent.low for parent in made.parents), default=0.0),
        parents_right=set(found) - {entry.base_column} == set(entry.parents),
        curve_error=_curve_error(entry, made),
    )


def _curve_error(entry: Entry, made: Mixture) -> float | None:
    """Return the largest error of the second parent's weight over the blocks of a SLERP merge."""
    if not entry.transformation.startswith("merge-slerp"):
        return None
    true = np.array(json.loads(entry.notes)["t"], float)
    second = list(entry.parents)[1]
    blocks = [part for part in made.layers if part.part == "all" and part.layer is not None]
    curve = [next((w.weight for w in part.weights if w.name == second), 0.0) for part in blocks]
    return float(np.abs(np.array(curve) - true).max()) if len(curve) == len(true) else None
