"""Ask layers for their responses: plan row ranges, run them on an engine, fold the sums in order.

A weight is read once for W X, and a second time for the columns whose input follows the gradient (FGSM): W^T (W x0) comes out of
the first reading. Weights are asked in batches, so that what is held between the two readings does not grow with the model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tensorguard.engines.base import Engine
from tensorguard.engines.batches import batches
from tensorguard.fingerprint.tasks import Sums, Task, ask, fold, plan
from tensorguard.probes.inputs import ProbeSpec, follow_gradient, input_moments, inputs, moments
from tensorguard.progress import Progress
from tensorguard.signals.products import Products
from tensorguard.sources.readahead import read_ahead
from tensorguard.tensors.base import Float32
from tensorguard.tensors.weight import Weight

BATCH_BYTES = 2**26
"""What the folded sums of one batch of weights may take; a batch holds at least one weight."""

_CONSTANT = 1e-6
"""Var(G) / E[G^2] of a gradient whose entries differ by a thousandth: with less, rounding decides its kurtosis."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The responses of one weight themselves.

    Attributes:
        X: The final inputs of all columns, float32 of shape (d, columns).
        O: W X, float32 of shape (m, columns).
        row_norms: ||w_i|| of every row of W, float64 of shape (m,).
    """

    X: Float32 = field(repr=False)
    O: Float32 = field(repr=False)  # noqa: E741
    row_norms: NDArray[np.float64] = field(repr=False)


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
        answers: The responses themselves; None where they were not to be kept.
    """

    weight: Weight
    x_moments: NDArray[np.float64]
    sums: NDArray[np.float64]
    pullback: NDArray[np.float64] | None
    nan: int
    infinite: int
    finite: bool
    answers: Answers | None = None

    @property
    def gain(self) -> NDArray[np.float64]:
        """||W x|| / ||x|| per column, float64 of shape (columns,)."""
        ratio: NDArray[np.float64] = self.sums[1] / (self.x_moments[1] * self.weight.shape[1])
        return np.sqrt(ratio)

    @property
    def silent(self) -> bool:
        """Whether some response is exactly zero, so that u is undefined."""
        return bool(np.any(self.sums[1] == 0))

    @property
    def constant(self) -> bool:
        """Whether some gradient has one value everywhere, as far as sums of fourth powers can tell: it has no skewness then."""
        rows, _ = self.weight.shape
        share = self.sums[0] ** 2 / (rows * self.sums[1]) * self.x_moments[0] ** 2 / self.x_moments[1]
        return bool(np.any(1 - share < _CONSTANT))


def respond(
    weights: Sequence[Weight],
    probes: ProbeSpec,
    engine: Engine,
    products: Products,
    progress: Progress,
    *,
    pullback: bool = False,
    keep: bool = False,
) -> Iterator[LayerResponse]:
    """Ask every weight every input.

    Args:
        weights: What to ask, in canonical order.
        probes: The inputs.
        engine: Runs the tasks.
        products: Computes the matrix products.
        progress: Hears of every task's elements under the task name `read`.
        pullback: Also compute ||W^T u|| for every column.
        keep: Also keep the responses: rows x columns floats per weight of the batch at hand.

    Yields:
        One response per weight, in the same order.

    Raises:
        InputError: A weight cannot be read or decoded.
    """
    elements = sum(weight.shape[0] * weight.shape[1] for weight in weights)
    progress.start("read", elements * (2 if probes.pending() else 1), "elements")
    try:
        for batch in _batches(weights, probes, pullback=pullback, keep=keep):
            yield from _respond(batch, probes, engine, products, progress, pullback=pullback, keep=keep)
    finally:
        progress.finish("read")


def _batches(weights: Sequence[Weight], probes: ProbeSpec, *, pullback: bool, keep: bool) -> Iterator[list[Weight]]:
    columns = len(probes.schedule())
    backward = columns if pullback else len(probes.pending())

    def cost(weight: Weight) -> int:
        rows, width = weight.shape
        return 8 * width * backward + (4 * rows * columns if keep else 0)

    return batches(weights, cost, BATCH_BYTES)


def _respond(
    weights: list[Weight],
    probes: ProbeSpec,
    engine: Engine,
    products: Products,
    progress: Progress,
    *,
    pullback: bool,
    keep: bool,
) -> Iterator[LayerResponse]:
    pending, columns = probes.pending(), len(probes.schedule())
    first = [plan(weight, probes, tuple(range(columns)) if pullback else pending, keep=keep) for weight in weights]
    folded = _run(first, engine, products, progress)
    if not pending:
        for weight, sums in zip(weights, folded, strict=True):
            yield _assemble(weight, probes, sums, pullback=pullback)
        return
    follow = []
    for weight, sums in zip(weights, folded, strict=True):
        gradient = sums.backward[:, list(pending)] if pullback else sums.backward
        X = follow_gradient(probes, weight.shape[1], gradient)
        follow.append(plan(weight, probes, tuple(range(len(pending))) if pullback else (), keep=keep, X=X))
    again = _run(follow, engine, products, progress)
    for weight, sums, tasks, second in zip(weights, folded, follow, again, strict=True):
        yield _assemble(weight, probes, sums, tasks[0].X, second, pullback=pullback)


def _run(plans: list[list[Task]], engine: Engine, products: Products, progress: Progress) -> list[Sums]:
    tasks = read_ahead((task for tasks in plans for task in tasks), lambda task: task.weight.span(task.start, task.stop))
    results = engine.map(partial(ask, products=products), tasks)
    return [fold(tasks, results, progress) for tasks in plans]


def _assemble(
    weight: Weight, probes: ProbeSpec, sums: Sums, X: Float32 | None = None, second: Sums | None = None, *, pullback: bool
) -> LayerResponse:
    x_moments, power, back = input_moments(probes, weight.shape[1]).copy(), sums.power, sums.backward
    pending = list(probes.pending())
    if X is not None and second is not None:
        x_moments[:, pending] = moments(X)
        power[:, pending] = second.power
        if pullback:
            back[:, pending] = second.backward
    with np.errstate(invalid="ignore", divide="ignore"):
        norms = np.linalg.norm(back, axis=0) / np.sqrt(power[1]) if pullback else None
    answers = None
    if sums.responses:
        final, O = inputs(probes, weight.shape[1]).copy(), np.concatenate(sums.responses)  # noqa: E741
        if X is not None and second is not None:
            final[:, pending] = X
            O[:, pending] = np.concatenate(second.responses)
        with np.errstate(invalid="ignore"):
            answers = Answers(final, O, np.sqrt(np.concatenate(sums.row_squares)))
    return LayerResponse(weight, x_moments, power, norms, sums.nan, sums.infinite, bool(np.all(np.isfinite(power))), answers)
