"""The perturbed inputs of a layer: one column per repeat, each with a strategy of its own."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tensorguard.probes.base import Strategy, Vector
from tensorguard.probes.bits import choices, normals
from tensorguard.probes.catalogue import PAPER, strategy

_BASE, _NOISE, _SCHEDULE = "paper/base", "paper/noise", "paper/schedule"


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """What the inputs are; with the width of a layer it determines every number of them.

    Attributes:
        seed: From 0 to 2^64 - 1.
        repeats: How many base inputs, all different.
        strategies: The strategies to draw from, one per repeat (the paper's mixture).
        each: Perturb every base input by every strategy instead, strategies one after the other: repeats x strategies columns.
    """

    seed: int = 0
    repeats: int = 30
    strategies: tuple[str, ...] = PAPER
    each: bool = False

    def schedule(self) -> tuple[tuple[Strategy, int], ...]:
        """Return (strategy, repeat) of each column; the same for every layer and model."""
        if self.each:
            return tuple((strategy(name), repeat) for name in self.strategies for repeat in range(self.repeats))
        drawn = choices(self.seed, _SCHEDULE, self.repeats, len(self.strategies))
        return tuple((strategy(self.strategies[index]), repeat) for repeat, index in enumerate(drawn))

    def pending(self) -> tuple[int, ...]:
        """Return the columns whose input follows the gradient and so needs the weights first."""
        return tuple(column for column, (chosen, _) in enumerate(self.schedule()) if chosen.needs_gradient)


@lru_cache(maxsize=8)
def inputs(spec: ProbeSpec, width: int) -> NDArray[np.float32]:
    """Return the inputs of a layer that reads `width` numbers: float32 of shape (width, columns), cached and so read-only.

    Pending columns hold the base input, to be replaced by what `follow_gradient` returns.
    """
    schedule = spec.schedule()
    X = np.empty((width, len(schedule)), np.float32)
    for column, (chosen, repeat) in enumerate(schedule):
        base, noise = _base_and_noise(spec, repeat, width)
        X[:, column] = base if chosen.needs_gradient else chosen.perturb(base, noise, None)
    X.flags.writeable = False
    return X


def follow_gradient(spec: ProbeSpec, width: int, gradients: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the inputs of the pending columns.

    Args:
        spec: What the inputs are.
        width: Input width d of the layer.
        gradients: float64 of shape (d, pending), column i along dJ/dx at the base input of the i-th pending column.

    Returns:
        float32 of shape (d, pending).
    """
    pending = spec.pending()
    schedule = spec.schedule()
    X = np.empty((width, len(pending)), np.float32)
    for index, column in enumerate(pending):
        chosen, repeat = schedule[column]
        base, noise = _base_and_noise(spec, repeat, width)
        X[:, index] = chosen.perturb(base, noise, gradients[:, index])
    return X


@lru_cache(maxsize=8)
def input_moments(spec: ProbeSpec, width: int) -> NDArray[np.float64]:
    """Return `moments` of `inputs`; cached, so read-only."""
    found = moments(inputs(spec, width))
    found.flags.writeable = False
    return found


def moments(X: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the raw moments E[x^k], k = 1..4, of every column: float64 of shape (4, columns) for X of shape (d, columns)."""
    x = X.astype(np.float64)
    squares = x * x
    return np.stack([x.mean(0), squares.mean(0), (squares * x).mean(0), (squares * squares).mean(0)])


@lru_cache(maxsize=64)
def _base_and_noise(spec: ProbeSpec, repeat: int, width: int) -> tuple[Vector, Vector]:
    drawn = normals(spec.seed, _BASE, repeat, width), normals(spec.seed, _NOISE, repeat, width)
    for vector in drawn:
        vector.flags.writeable = False  # shared by all callers
    return drawn
