"""One range of rows of a weight: what to ask it, and the sums that its answers add to.

Row ranges and tiles depend on the input width alone, so neither the container nor the number of workers can change a bit of the
result.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tensorguard.probes.inputs import ProbeSpec, inputs
from tensorguard.progress import Progress
from tensorguard.signals.moments import power_sums
from tensorguard.signals.products import Products
from tensorguard.tensors.base import Float32
from tensorguard.tensors.weight import Weight

TILE_ELEMENTS = 2**19
"""Elements of W that are decoded and multiplied at a time: 2 MiB of float32, which stays in the caches. Part of the specification."""

TASK_TILES = 8
"""Tiles that one task sums up. Part of the specification."""


@dataclass(frozen=True, slots=True)
class Task:
    """A range of rows of one weight, and what to ask it.

    Attributes:
        weight: The weight.
        start: First row.
        stop: Row after the last.
        probes: The inputs.
        backward: Columns whose response is sent back through the weight: W^T o.
        keep: Return the responses themselves and the rows' squared norms too.
        X: The inputs, float32 of shape (d, columns); None for those that the specification alone determines.
    """

    weight: Weight
    start: int
    stop: int
    probes: ProbeSpec
    backward: tuple[int, ...]
    keep: bool = False
    X: Float32 | None = field(default=None, repr=False)


@dataclass(slots=True)
class Sums:
    """What ranges of rows add up to.

    Attributes:
        power: `power_sums` of the responses, float64 of shape (4, columns).
        backward: W^T o of the columns asked for, float64 of shape (d, columns).
        nan: How many weights are not a number.
        infinite: How many weights are infinite.
        responses: Blocks of o = W x in row order, float32 of shape (rows, columns) each; empty unless kept.
        row_squares: ||w_i||^2 of the same rows, float64 of shape (rows,) each.
    """

    power: NDArray[np.float64]
    backward: NDArray[np.float64]
    nan: int = 0
    infinite: int = 0
    responses: list[Float32] = field(default_factory=list)
    row_squares: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, other: "Sums") -> None:
        """Add the sums of the rows that follow."""
        with np.errstate(invalid="ignore"):
            self.power += other.power
            self.backward += other.backward
        self.nan += other.nan
        self.infinite += other.infinite
        self.responses += other.responses
        self.row_squares += other.row_squares


def tile_rows(width: int) -> int:
    """Return how many rows of a matrix with `width` columns make a tile."""
    return max(1, TILE_ELEMENTS // width)


def plan(
    weight: Weight, probes: ProbeSpec, backward: tuple[int, ...], *, keep: bool = False, X: Float32 | None = None
) -> list[Task]:
    """Cut a weight into tasks, in row order; for the arguments see `Task`."""
    rows = tile_rows(weight.shape[1]) * TASK_TILES
    return [
        Task(weight, start, min(start + rows, weight.shape[0]), probes, backward, keep, X)
        for start in range(0, weight.shape[0], rows)
    ]


def fold(tasks: list[Task], results: Iterator[Sums], progress: Progress) -> Sums:
    """Take one weight's results from the stream and add them up in row order.

    Raises:
        ValueError: The weight has no rows.
    """
    total: Sums | None = None
    for task in tasks:
        part = next(results)
        progress.advance("read", (task.stop - task.start) * task.weight.shape[1])
        if total is None:
            total = part
        else:
            total.add(part)
    if total is None:
        raise ValueError("a weight without rows was planned")
    return total


def ask(task: Task, products: Products) -> Sums:
    """Read a range of rows once and answer its questions.

    Raises:
        InputError: The weight cannot be read or decoded.
    """
    width = task.weight.shape[1]
    X = inputs(task.probes, width) if task.X is None else task.X
    total = Sums(np.zeros((4, X.shape[1])), np.zeros((width, len(task.backward))))
    step = tile_rows(width)
    for start in range(task.start, task.stop, step):
        W = task.weight.rows(start, min(start + step, task.stop))
        O = products.forward(W, X)  # noqa: E741
        power = power_sums(O)
        with np.errstate(invalid="ignore"):
            total.power += power
            if task.backward:
                total.backward += _pull_back(W, O[:, list(task.backward)], products)
        if not np.all(np.isfinite(power[1])):
            total.nan += int(np.isnan(W).sum())
            total.infinite += int(np.isinf(W).sum())
        if task.keep:
            total.responses.append(O)
            total.row_squares.append(np.einsum("ij,ij->i", W, W, dtype=np.float64))
    return total


def _pull_back(W: Float32, O: Float32, products: Products) -> NDArray[np.float64]:  # noqa: E741
    """Return W^T O in float64. Columns are scaled by powers of two, exactly: the product of two tiny or huge factors is no float32."""
    exponents = np.frexp(np.abs(O).max(0))[1]
    scaled = np.ldexp(np.ascontiguousarray(O), -exponents)
    pulled: NDArray[np.float64] = products.backward(W, scaled) * np.ldexp(1.0, exponents)
    return pulled
