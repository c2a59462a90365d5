"""Rows, columns and responses of one weight, or of a layer's experts on top of each other, read tile by tile."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tensorguard.tensors.base import Float32
from tensorguard.tensors.folding import Folding
from tensorguard.tensors.weight import Weight

_TILE_ELEMENTS = 2**19


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask matrices that form one tall reader, or one wide writer.

    Attributes:
        weights: One weight, or a layer's experts in order.
        folding: What is folded into the side of the residual stream.
        writer: Whether they write to the stream: their columns are asked then, and transposed.
        probes: X of shape (d, k) in the stream's basis: the answer is W X, or W^T X of a writer. None asks for values.
        chosen: Rows (columns of writers) whose values are wanted, if there are no probes; int64.
    """

    weights: tuple[Weight, ...]
    folding: Folding
    writer: bool
    probes: Float32 | None = field(default=None, repr=False)
    chosen: NDArray[np.int64] | None = field(default=None, repr=False)


def answer(question: Question) -> Float32:
    """Return responses, float32 of shape (neurons, k), or chosen values, (chosen, d), folded.

    Raises:
        InputError: A weight cannot be read or decoded.
    """
    if question.probes is not None:
        X = question.folding.onto(question.probes)
        parts = [_respond(weight, X, writer=question.writer) for weight in question.weights]
        return np.concatenate(parts)
    chosen = np.zeros(0, np.int64) if question.chosen is None else question.chosen
    width = question.weights[0].shape[0 if question.writer else 1]
    values = np.empty((len(chosen), width), np.float32)
    base = 0
    for weight in question.weights:
        neurons = weight.shape[1 if question.writer else 0]
        here = np.flatnonzero((chosen >= base) & (chosen < base + neurons))
        if len(here):
            values[here] = (picked_columns if question.writer else picked_rows)(weight, chosen[here] - base)
        base += neurons
    return fold_rows(values, question.folding)


def fold_rows(values: Float32, folding: Folding) -> Float32:
    """Fold rows of W diag(g) C, or of (C diag(g) W)^T for a writer: the gain first, then the mean, in both."""
    if folding.gain is not None:
        values = values * folding.gain
    return values - values.mean(axis=1, keepdims=True) if folding.centred else values


def picked_rows(weight: Weight, rows: NDArray[np.int64]) -> Float32:
    """Return rows of a weight in the order given, float32 of shape (len(rows), columns).

    Raises:
        InputError: The weight cannot be read or decoded.
    """
    values = np.empty((len(rows), weight.shape[1]), np.float32)
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    for start, stop in steps(weight):
        low, high = np.searchsorted(ordered, (start, stop))
        if high > low:
            first, last = int(ordered[low]), int(ordered[high - 1]) + 1
            values[order[low:high]] = weight.rows(first, last)[ordered[low:high] - first]
    return values


def picked_columns(weight: Weight, columns: NDArray[np.int64]) -> Float32:
    """Return columns of a weight as rows, in the order given: float32 of shape (len(columns), rows)."""
    values = np.empty((len(columns), weight.shape[0]), np.float32)
    for start, stop in steps(weight):
        values[:, start:stop] = weight.rows(start, stop)[:, columns].T
    return values


def _respond(weight: Weight, X: Float32, *, writer: bool) -> Float32:
    if not writer:
        return np.concatenate([weight.rows(start, stop) @ X for start, stop in steps(weight)])
    total = np.zeros((weight.shape[1], X.shape[1]), np.float64)
    for start, stop in steps(weight):
        total += weight.rows(start, stop).T @ X[start:stop]
    return total.astype(np.float32)


def steps(weight: Weight) -> Iterator[tuple[int, int]]:
    """Yield the row ranges of a weight's tiles."""
    step = max(1, _TILE_ELEMENTS // max(1, weight.shape[1]))
    for start in range(0, weight.shape[0], step):
        yield start, min(start + step, weight.shape[0])
