"""Digests of all values of a model: one pass over everything that it stores, which also finds values that are not finite."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tensorguard.engines.base import Engine
from tensorguard.fingerprint.base import TensorDigest
from tensorguard.fingerprint.usable import require_finite
from tensorguard.progress import Progress
from tensorguard.signals.digest import block_digest, block_rows, tensor_digest
from tensorguard.tensors.base import Float32, Stored, extent
from tensorguard.tensors.view import Vector, View
from tensorguard.tensors.weight import Weight

_TASK_BLOCKS = 16
"""Blocks that one task digests."""


@dataclass(frozen=True, slots=True)
class _Range:
    """Rows to read and digest."""

    tensor: Weight | Stored
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a range of rows holds; `constant` is the one value, or None if there are several."""

    digest: bytes
    constant: float | None
    nan: int
    infinite: int


def digests(view: View, engine: Engine, progress: Progress, *, skip_nonfinite: bool = False) -> tuple[TensorDigest, ...]:
    """Digest every weight and vector of a model.

    Args:
        view: The canonical view.
        engine: Runs the tasks; the result does not depend on it.
        progress: Hears of elements under the task name `digest`.
        skip_nonfinite: Say which tensors hold NaN or infinite values instead of refusing the model.

    Returns:
        A digest per weight, then per vector, in canonical order.

    Raises:
        InputError: A tensor cannot be read or decoded, or holds values that are not finite.
    """
    members: list[Weight | Vector] = [*view.weights, *view.vectors]
    plans = [_plan(member) for member in members]
    progress.start("digest", sum(_elements(each) for plan in plans for each in plan), "elements")
    try:
        answers = engine.map(_digest, [each for plan in plans for each in plan])
        found = []
        for member, plan in zip(members, plans, strict=True):
            digest = _fold(member, plan, answers, progress)
            if not skip_nonfinite:
                stored = member.stored
                require_finite(stored.name, stored.where, digest.nan, digest.infinite)
            found.append(digest)
        return tuple(found)
    finally:
        progress.finish("digest")


def _plan(member: Weight | Vector) -> list[_Range]:
    tensor: Weight | Stored = member if isinstance(member, Weight) else member.stored
    rows, width = _extent(tensor)
    step = block_rows(width) * _TASK_BLOCKS
    return [_Range(tensor, start, min(start + step, rows)) for start in range(0, rows, step)]


def _digest(task: _Range) -> _Answer:
    step = block_rows(_extent(task.tensor)[1])
    parts: list[bytes] = []
    values: set[float | None] = set()
    nan = infinite = 0
    for start in range(task.start, task.stop, step):
        tile = _read(task.tensor, start, min(start + step, task.stop))
        parts.append(block_digest(tile))
        values.add(_constant(tile))
        if not np.isfinite(tile).all():
            nan += int(np.isnan(tile).sum())
            infinite += int(np.isinf(tile).sum())
    return _Answer(b"".join(parts), values.pop() if len(values) == 1 else None, nan, infinite)


def _read(tensor: Weight | Stored, start: int, stop: int) -> Float32:
    if isinstance(tensor, Weight):
        return tensor.rows(start, stop)
    return tensor.read(slice(start, stop), slice(0, extent(tensor)[1]))


def _constant(values: Float32) -> float | None:
    first, last = values.flat[0], values.flat[-1]
    return float(first) if first == last and np.all(values == first) else None


def _fold(member: Weight | Vector, plan: Sequence[_Range], answers: Iterator[_Answer], progress: Progress) -> TensorDigest:
    parts = []
    for each in plan:
        parts.append(next(answers))
        progress.advance("digest", _elements(each))
    values = {part.constant for part in parts}
    return TensorDigest(
        role=member.role if isinstance(member, Weight) else f"{member.role}:{member.part}",
        layer=member.layer,
        expert=member.expert,
        stack=member.stack,
        elements=sum(_elements(each) for each in plan),
        constant=not parts or (len(values) == 1 and None not in values),
        nan=sum(part.nan for part in parts),
        infinite=sum(part.infinite for part in parts),
        digest=tensor_digest(
            member.shape if isinstance(member, Weight) else member.stored.shape, [part.digest for part in parts]
        ),
    )


def _extent(tensor: Weight | Stored) -> tuple[int, int]:
    return tensor.shape if isinstance(tensor, Weight) else extent(tensor)


def _elements(task: _Range) -> int:
    return (task.stop - task.start) * _extent(task.tensor)[1]
