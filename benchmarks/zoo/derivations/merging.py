"""Merges of models with the same tensors, as mergekit names them; `t` and weights are those of its configuration files.

Every function takes the parents and, where they are fine-tunes, the base they share, one tensor at a time.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator

from benchmarks.zoo.derivations.anatomy import layer_number
from benchmarks.zoo.derivations.checkpoint import Tensor

Merge = Callable[[str, Sequence[Tensor], Tensor, Generator], Tensor]
"""Name of the tensor, the parents' values, the base's -> the merge's."""


def linear(*weights: float) -> Merge:
    return lambda _name, parents, _base, _random: _sum(weights, parents)


def task_arithmetic(*weights: float) -> Merge:
    """The base plus weighted task vectors (Ilharco et al. 2022)."""
    return lambda _name, parents, base, _random: base + _sum(weights, [each - base for each in parents])


def slerp(curve: Sequence[float], elsewhere: float = 0.5) -> Merge:
    """From the first parent (t = 0) to the second (t = 1) along the great circle, layer l at `curve[l]`."""

    def merge(name: str, parents: Sequence[Tensor], _base: Tensor, _random: Generator) -> Tensor:
        number = layer_number(name)
        return on_sphere(elsewhere if number is None else curve[number], *parents)

    return merge


def ties(density: float = 0.5, scale: float = 1.0) -> Merge:
    """Trim task vectors to their largest entries, elect a sign per entry, average who agrees (Yadav et al. 2023)."""

    def merge(_name: str, parents: Sequence[Tensor], base: Tensor, _random: Generator) -> Tensor:
        vectors = np.stack([_trim(each - base, density) for each in parents])
        agrees = np.sign(vectors) == np.sign(vectors.sum(0))
        counted = (agrees & (vectors != 0)).sum(0)
        merged: Tensor = base + scale * np.where(agrees, vectors, 0).sum(0) / np.maximum(counted, 1)
        return merged

    return merge


def dare(*weights: float, drop: float = 0.5) -> Merge:
    """Drop entries of the task vectors at random, scale up the others, add (Yu et al. 2023)."""

    def merge(_name: str, parents: Sequence[Tensor], base: Tensor, random: Generator) -> Tensor:
        return base + _sum(weights, [(each - base) * (random.random(base.shape) >= drop) / (1 - drop) for each in parents])

    return merge


def on_sphere(t: float, first: Tensor, second: Tensor) -> Tensor:
    """Spherical interpolation of two tensors as vectors; linear where they are nearly parallel, as mergekit does."""
    cosine = float((first * second).sum() / (np.linalg.norm(first) * np.linalg.norm(second) or 1.0))
    if abs(cosine) > 0.9995:
        return (1 - t) * first + t * second
    angle = np.arccos(cosine)
    between: Tensor = (np.sin((1 - t) * angle) * first + np.sin(t * angle) * second) / np.sin(angle)
    return between


def _sum(weights: Sequence[float], tensors: Sequence[Tensor]) -> Tensor:
    total: Tensor = np.sum([weight * tensor for weight, tensor in zip(weights, tensors, strict=True)], axis=0)
    return total


def _trim(vector: Tensor, density: float) -> Tensor:
    count = vector.size - int(density * vector.size)
    trimmed = vector.copy().reshape(-1)
    trimmed[np.argpartition(np.abs(trimmed), count - 1)[:count] if count else []] = 0
    return trimmed.reshape(vector.shape)
