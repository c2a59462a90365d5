"""The price of a forgery where models are wide: single random matrices, without a model around them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.forgery.steps import Array, Goal, Weights, forge_operators, forge_sketch, name_of, operators_between, sketch
from tensorguard.probes.rademacher import PUBLIC, Key, fixed_basis, response_inputs, response_rows

_SECRET = Key(b"known to the registry alone")
_TUNED = 0.05
"""Norm of what fine-tuning changed, relative to the weights."""


@dataclass(frozen=True)
class Figure:
    """One attack on random matrices.

    Attributes:
        what: What was done.
        width: Rows and columns.
        change: Norm of the change over the norm of what was changed.
        public: Cosine that public probes show.
        keyed: Cosine that a secret key shows.
        exact: Cosine of the matrices.
    """

    what: str
    width: int
    change: float
    public: float
    keyed: float
    exact: float


def figures(width: int) -> Iterator[Figure]:
    """Attack response sketches and operators of Gaussian matrices, width x width."""
    random = np.random.default_rng(0)
    A, B = (random.standard_normal((width, width), np.float32) for _ in "AB")
    forged = forge_sketch(B, sketch(A))
    yield _of_sketches("sketch forged", A, B, forged)
    child = A + np.float32(_TUNED) * B
    yield _of_sketches("sketch erased", A, child, forge_sketch(child, random.standard_normal(sketch(A).shape)))
    yield _of_operators(random, A, B, width)


def _of_sketches(what: str, parent: NDArray[np.float32], before: NDArray[np.float32], after: NDArray[np.float32]) -> Figure:
    public, keyed = (_cosine(*(_sketch(key, W) for W in (parent, after))) for key in (PUBLIC, _SECRET))
    return Figure(what, len(parent), _change(before, after), public, keyed, _cosine(parent, after))


def _of_operators(random: np.random.Generator, q: NDArray[np.float32], k: NDArray[np.float32], width: int) -> Figure:
    """Give a pair of query and key matrices the operator of another."""
    victim = _attention(q, k)
    before = _attention(*(random.standard_normal((width, width), np.float32) for _ in "qk"))
    public, secret = (fixed_basis(key, width).astype(np.float64) for key in (PUBLIC, _SECRET))
    after = forge_operators(before, [Goal(public, operators_between(victim, public, width))], width, rounds=1)
    shown, keyed = (_cosine(*(operators_between(each, frame, width) for each in (victim, after))) for frame in (public, secret))
    names = [name_of(role, 0) for role in "qk"]
    first, second = (np.stack([each[name] for name in names]) for each in (before, after))
    return Figure("operator forged", width, _change(first, second), shown, keyed, _cosine(victim[names[0]], after[names[0]]))


def _attention(q: NDArray[np.float32], k: NDArray[np.float32]) -> Weights:
    ones = np.ones(len(q), np.float32)
    return {name_of("q", 0): q, name_of("k", 0): k, "model.layers.0.input_layernorm.weight": ones}


def _sketch(key: Key, W: NDArray[np.float32]) -> Array:
    found: Array = response_rows(key, 0, len(W)).T.astype(np.float64) @ (W @ response_inputs(key, W.shape[1]))
    return found


def _change(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(after - before) / np.linalg.norm(before))


def _cosine(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    return float(np.vdot(first, second) / (np.linalg.norm(first) * np.linalg.norm(second)))
