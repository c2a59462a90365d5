"""Ask layers for their responses: plan row ranges, run them on an engine, fold the sums in order.

A weight is read once for W X, and a second time for the columns whose input follows the gradient (FGSM): W^T (W x0) comes out of
the first reading. Row ranges and tiles depend on the input width alone, so neither the container nor the number of workers can
change a bit of the result.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tensorguard.engines.base import Engine
from tensorguard.probes.inputs import ProbeSpec, follow_gradient, inputs, moments
from tensorguard.progress import Progress
from tensorguard.signals.moments import power_sums
from tensorguard.signals.products import Products
from tensorguard.tensors.weight import Weight

TILE_ELEMENTS = 2**18
"""Elements of W that are decoded and multiplied at a time: 1 MiB of float32, which a core's cache holds. Part of the specification."""

TASK_TILES = 16
"""Tiles that one task sums up. Part of the specification."""


@dataclass(frozen=True, slots=True)
class LayerResponse:
    """How one weight answered every input column.

    Attributes:
        weight: The weight asked.
        x_moments: Raw moments of the inputs, float64 of shape (4, columns).
        sums: `power_sums` of the responses o = W x, float64 of shape (4, columns).
        pullback: ||W^T u|| = ||dL/dx||, float64 of shape (columns,); None where it was not asked for.
        nan: How many weights are not a number.
        infinite: How many weights are infinite.
        finite: Whether all responses are finite; they may not be although all weights are (float32 overflow).
    """

    weight: Weight
    x_moments: NDArray[np.float64]
    sums: NDArray[np.float64]
    pullback: NDArray[np.float64] | None
    nan: int
    infinite: int
    finite: bool

    @property
    def gain(self) -> NDArray[np.float64]:
        """||W x|| / ||x|| per column, float64 of shape (columns,)."""
        ratio: NDArray[np.float64] = self.sums[1] / (self.x_moments[1] * self.weight.shape[1])
        return np.sqrt(ratio)

    @property
    def silent(self) -> bool:
        """Whether some response is exactly zero, so that u is undefined."""
        return bool(np.any(self.sums[1] == 0))


@dataclass(frozen=True, slots=True)
class _Task:
    """A range of rows of one weight, and what to ask it. X is None for the inputs that the specification alone determines."""

    weight: Weight
    start: int
    stop: int
    probes: ProbeSpec
    backward: tuple[int, ...]
    X: NDArray[np.float32] | None = field(default=None, repr=False)


@dataclass(slots=True)
class _Sums:
    """What a range of rows adds; `backward` is W^T O of the columns asked for, float64 of shape (d, columns)."""

    power: NDArray[np.float64]
    backward: NDArray[np.float64]
    nan: int = 0
    infinite: int = 0

    def add(self, other: "_Sums") -> None:
        self.power += other.power
        self.backward += other.backward
        self.nan += other.nan
        self.infinite += other.infinite


def respond(
    weights: Sequence[Weight],
    probes: ProbeSpec,
    engine: Engine,
    products: Products,
    progress: Progress,
    *,
    pullback: bool = False,
) -> list[LayerResponse]:
    """Ask every weight every input.

    Args:
        weights: What to ask, in canonical order.
        probes: The inputs.
        engine: Runs the tasks.
        products: Computes the matrix products.
        progress: Hears of every task's elements under the task name `read`.
        pullback: Also compute ||W^T u|| for every column.

    Returns:
        One response per weight, in the same order.

    Raises:
        InputError: A weight cannot be read or decoded.
    """
    pending, columns = probes.pending(), len(probes.schedule())
    first = [_plan(weight, probes, tuple(range(columns)) if pullback else pending) for weight in weights]
    elements = sum(weight.shape[0] * weight.shape[1] for weight in weights)
    progress.start("read", elements * (2 if pending else 1), "elements")
    try:
        folded = _run(first, engine, products, progress)
        if not pending:
            return [_assemble(w, probes, s, None, None, pullback=pullback) for w, s in zip(weights, folded, strict=True)]
        follow = []
        for weight, sums in zip(weights, folded, strict=True):
            gradient = sums.backward[:, list(pending)] if pullback else sums.backward
            X = follow_gradient(probes, weight.shape[1], gradient)
            follow.append(_plan(weight, probes, tuple(range(len(pending))) if pullback else (), X))
        again = _run(follow, engine, products, progress)
        return [
            _assemble(weight, probes, sums, tasks[0].X, second, pullback=pullback)
            for weight, sums, tasks, second in zip(weights, folded, follow, again, strict=True)
        ]
    finally:
        progress.finish("read")


def _plan(weight: Weight, probes: ProbeSpec, backward: tuple[int, ...], X: NDArray[np.float32] | None = None) -> list[_Task]:
    rows = tile_rows(weight.shape[1]) * TASK_TILES
    return [
        _Task(weight, start, min(start + rows, weight.shape[0]), probes, backward, X)
        for start in range(0, weight.shape[0], rows)
    ]


def tile_rows(width: int) -> int:
    """Return how many rows of a matrix with `width` columns make a tile."""
    return max(1, TILE_ELEMENTS // width)


def _run(plans: list[list[_Task]], engine: Engine, products: Products, progress: Progress) -> list[_Sums]:
    results = engine.map(partial(_ask, products=products), [task for plan in plans for task in plan])
    return [_fold(plan, results, progress) for plan in plans]


def _fold(plan: list[_Task], results: Iterator[_Sums], progress: Progress) -> _Sums:
    total: _Sums | None = None
    for task in plan:
        part = next(results)
        progress.advance("read", (task.stop - task.start) * task.weight.shape[1])
        if total is None:
            total = part
        else:
            total.add(part)
    if total is None:
        raise ValueError("a weight without rows was planned")
    return total


def _ask(task: _Task, products: Products) -> _Sums:
    width = task.weight.shape[1]
    X = inputs(task.probes, width) if task.X is None else task.X
    total = _Sums(np.zeros((4, X.shape[1])), np.zeros((width, len(task.backward))))
    step = tile_rows(width)
    for start in range(task.start, task.stop, step):
        W = task.weight.rows(start, min(start + step, task.stop))
        O = products.forward(W, X)  # noqa: E741
        total.power += power_sums(O)
        if task.backward:
            total.backward += products.backward(W, np.ascontiguousarray(O[:, list(task.backward)]))
        if not np.all(np.isfinite(O)):
            total.nan += int(np.isnan(W).sum())
            total.infinite += int(np.isinf(W).sum())
    return total


def _assemble(
    weight: Weight,
    probes: ProbeSpec,
    sums: _Sums,
    X: NDArray[np.float32] | None,
    second: _Sums | None,
    *,
    pullback: bool,
) -> LayerResponse:
    x_moments, power = moments(inputs(probes, weight.shape[1])), sums.power
    back = sums.backward
    if X is not None and second is not None:
        pending = list(probes.pending())
        x_moments[:, pending] = moments(X)
        power[:, pending] = second.power
        if pullback:
            back[:, pending] = second.backward
    with np.errstate(invalid="ignore", divide="ignore"):
        norms = np.linalg.norm(back, axis=0) / np.sqrt(power[1]) if pullback else None
    return LayerResponse(weight, x_moments, power, norms, sums.nan, sums.infinite, finite=bool(np.all(np.isfinite(power))))
