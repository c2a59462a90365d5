"""Which merges are made of a base's fine-tunes: one line each."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.random import Generator

from benchmarks.zoo.derivations import merging, passthrough
from benchmarks.zoo.derivations.anatomy import assemble, dissect, layer_number
from benchmarks.zoo.derivations.checkpoint import Checkpoint, Facts

Combine = Callable[[Sequence[Checkpoint], Checkpoint, Generator], tuple[Checkpoint, Facts]]
"""The parents and the base -> the merge."""


@dataclass(frozen=True)
class MergeOf:
    """One merge.

    Attributes:
        name: Ends the merge's name.
        parents: Fine-tune of the base -> its weight, as `Entry.parents` gives it.
        combine: How.
        smoke: Whether it is in the smoke set.
    """

    name: str
    parents: dict[str, float]
    combine: Combine
    smoke: bool = False


def by_tensor(merge: merging.Merge, notes: str = "", dtype: str = "float32") -> Combine:
    """Merge tensor by tensor, in float64, and store as `dtype`."""

    def combine(parents: Sequence[Checkpoint], base: Checkpoint, random: Generator) -> tuple[Checkpoint, Facts]:
        tensors = {
            name: merge(name, [each.tensors[name].astype(np.float64) for each in parents], values.astype(np.float64), random)
            for name, values in base.tensors.items()
        }
        return Checkpoint(tensors, parents[0].config, parents[0].files, dtype), Facts(notes=notes)

    return combine


def _slerp(parents: Sequence[Checkpoint], base: Checkpoint, random: Generator) -> tuple[Checkpoint, Facts]:
    """Early layers nearer to the first parent, late ones to the second."""
    numbers = [number for name in base.tensors if (number := layer_number(name)) is not None]
    curve = np.linspace(0.2, 0.8, 1 + max(numbers)).round(4).tolist()
    notes = json.dumps({"t": curve, "t_elsewhere": 0.5})
    return by_tensor(merging.slerp(curve), notes)(parents, base, random)


def _stacked(
    parents: Sequence[Checkpoint], _base: Checkpoint, _random: Generator, *, overlapping: bool
) -> tuple[Checkpoint, Facts]:
    how = passthrough.overlapping if overlapping else passthrough.halves
    model, facts = how(*(dissect(each) for each in parents))
    return assemble(model), facts


_HALF = {"ft-a": 0.5, "ft-b": 0.5}

MERGES = (
    MergeOf("merge-linear-70-30", {"ft-a": 0.7, "ft-b": 0.3}, by_tensor(merging.linear(0.7, 0.3)), smoke=True),
    MergeOf("merge-linear-70-30-bf16", {"ft-a": 0.7, "ft-b": 0.3}, by_tensor(merging.linear(0.7, 0.3), dtype="bfloat16")),
    MergeOf("merge-linear-50-50", _HALF, by_tensor(merging.linear(0.5, 0.5))),
    MergeOf(
        "merge-linear-three",
        {"ft-a": 0.5, "ft-b": 0.3, "ft-short": 0.2},
        by_tensor(merging.linear(0.5, 0.3, 0.2)),
    ),
    MergeOf("merge-slerp", _HALF, _slerp, smoke=True),
    MergeOf("merge-task-arithmetic", {"ft-a": 0.8, "ft-b": 0.4}, by_tensor(merging.task_arithmetic(0.8, 0.4))),
    MergeOf("merge-ties", _HALF, by_tensor(merging.ties(), json.dumps({"density": 0.5, "weights": "nominal"}))),
    MergeOf("merge-dare", _HALF, by_tensor(merging.dare(0.5, 0.5), json.dumps({"drop": 0.5, "weights": "expected"}))),
    MergeOf("merge-passthrough", _HALF, partial(_stacked, overlapping=False), smoke=True),
    MergeOf("merge-passthrough-overlapping", _HALF, partial(_stacked, overlapping=True)),
)

CROSS = MergeOf("merge-cross", {"ft-short": 0.5}, by_tensor(merging.linear(0.5, 0.5)), smoke=True)
"""Of the same fine-tune of two twins: two bases in one model."""
