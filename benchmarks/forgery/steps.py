"""Forging: the smallest changes of weights that make known probes answer what one likes. Of Llamas, in numpy alone.

Operators are products L^T R of responses to a few known directions, so a step along L and R that is orthogonal to everything else
changes them at will: it costs about sqrt(m^2 / (rows d)) of the norm, 1 % of a 4096 x 4096 matrix for m = 32 directions. Response
sketches P^T W X are linear in W: one step of least squares.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_sylvester
from scipy.optimize import linear_sum_assignment

from tensorguard.probes.rademacher import PUBLIC, response_inputs, response_rows
from tensorguard.signals.operator_evidence import CUT_OFF, MEANING, NOISE
from tensorguard.signals.operators import OPERATORS

Array = NDArray[np.float64]
Weights = dict[str, NDArray[np.float32]]

FACTORS = {"QK": ("q", "k"), "VO": ("o", "v"), "DU": ("down", "up"), "DG": ("down", "gate"), "GU": ("gate", "up")}
"""Operator -> the roles whose responses L and R make it, L^T R."""

_ROUNDS = 2
"""How often all goals are gone through: a step towards one moves the others a little. Two leave cosines of 0.998."""

_STEPS = 4
"""Newton's steps per product."""

_FEW_GOOD = 5
"""Power of cosines that neurons are assigned by: few good matches rather than many fair ones."""


@dataclass(frozen=True)
class Goal:
    """What the operators between some directions of the residual stream are to be.

    Attributes:
        frame: The directions, orthonormal columns, of shape (d, m).
        wanted: Operators, each without its multiple of the identity and of norm 1, zeros where nothing is wanted: (blocks, 5, m, m).
    """

    frame: Array
    wanted: Array


def layers(weights: Weights) -> int:
    """How many blocks a Llama has."""
    return sum(name.endswith(".input_layernorm.weight") for name in weights)


def name_of(role: str, layer: int) -> str:
    """The tensor that plays a role in a block of a Llama."""
    module = "mlp" if role in ("gate", "up", "down") else "self_attn"
    return f"model.layers.{layer}.{module}.{role}_proj.weight"


def operators_between(weights: Weights, frame: Array, head: int) -> Array:
    """Operators between the columns of a frame, without the identity and of norm 1, zeros where missing: (blocks, 5, m, m)."""
    found = np.zeros((layers(weights), len(OPERATORS), frame.shape[1], frame.shape[1]))
    for layer in range(len(found)):
        for place, operator in enumerate(OPERATORS):
            if all(name_of(role, layer) in weights for role in FACTORS[operator]):
                left, right = _responses(weights, layer, operator, frame, head)
                found[layer, place] = _unit(left.T @ right)
    return found


def anchor_frame(rows: Array) -> tuple[Array, Array]:
    """Directions in which token space is compared, as `operator_evidence.whitened` chooses them.

    Args:
        rows: The anchors' embedding rows, of shape (m, d).

    Returns:
        Orthonormal columns of shape (d, r), and what the m - 1 coordinates of compared operators are turned with to be theirs, (m - 1, r).
    """
    m = len(rows)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    helmert = np.tril(np.ones((m, m)), -1)[1:]
    helmert[np.arange(m - 1), np.arange(1, m)] = -np.arange(1, m)
    centred = helmert / np.linalg.norm(helmert, axis=1, keepdims=True) @ unit
    values, vectors = np.linalg.eigh(centred @ centred.T)
    compared = len(values) - round(MEANING * len(values))
    kept = values > max(values[compared - 1] * CUT_OFF, values[-1] * NOISE, 1e-12)
    kept[compared:] = False
    return centred.T @ vectors[:, kept] / np.sqrt(values[kept]), vectors[:, kept]


def forge_operators(weights: Weights, goals: Sequence[Goal], head: int, *, rounds: int = _ROUNDS) -> Weights:
    """Change attention and MLPs as little as possible so that their operators reach all goals."""
    forged = dict(weights)
    for _ in range(rounds):
        for goal in goals:
            for layer in range(layers(weights)):
                for place, operator in enumerate(OPERATORS):
                    if goal.wanted[layer, place].any():
                        _reach(forged, layer, operator, goal.frame, goal.wanted[layer, place], head)
    return forged


def turned_alike(frame: Array, turn: Array, operators: Array) -> Goal:
    """Operators of another frame, of shape (blocks, 5, n, n), as a goal for this one: turned by `turn`, of shape (m, n)."""
    seen = turn @ operators @ turn.T
    return Goal(frame, np.array([[_unit(M) for M in block] for block in seen]))


def scramble(weights: Weights, frame: Array, head: int, random: np.random.Generator) -> Goal:
    """The model's own operators, turned by one random rotation: as an independent model's would be."""
    R = np.linalg.qr(random.standard_normal((frame.shape[1], frame.shape[1])))[0]
    return Goal(frame, R @ operators_between(weights, frame, head) @ R.T)


def sketch(W: NDArray[np.float32]) -> Array:
    """The public response sketch P^T W X of a matrix and, as its last row, 1^T W X: of shape (65, 16)."""
    P, X = _probes(*W.shape)
    found: Array = P.T @ (W @ X)
    return found


def forge_sketch(W: NDArray[np.float32], wanted: Array) -> NDArray[np.float32]:
    """Change a matrix as little as possible so that its sketch is this one, up to its own norm."""
    P, X = _probes(*W.shape)
    seen = P.T @ (W @ X)
    goal = wanted * (np.linalg.norm(seen) / np.linalg.norm(wanted))
    return (W + np.linalg.pinv(P.T) @ (goal - seen) @ np.linalg.pinv(X)).astype(np.float32)


def forge_numbers(weights: Weights, victim: Weights, frame: Array | None = None) -> Weights:
    """Permute the neurons of every block so that those which read alike carry the victim's numbers. The function stays the same.

    Args:
        weights: The model.
        victim: Whose numbers, with blocks of the same size.
        frame: Read alike in these directions; None for all of them.
    """
    forged = dict(weights)
    for layer in range(layers(weights)):
        alike = _readers(victim, layer, frame) @ _readers(weights, layer, frame).T
        order = linear_sum_assignment(alike**_FEW_GOOD, maximize=True)[1]
        for role in ("gate", "up"):
            forged[name_of(role, layer)] = weights[name_of(role, layer)][order]
        forged[name_of("down", layer)] = weights[name_of("down", layer)][:, order]
    return forged


def sketched(weights: Weights) -> Iterator[str]:
    """Names of all matrices of a Llama."""
    yield from (name for name in ("model.embed_tokens.weight", "lm_head.weight") if name in weights)
    for layer in range(layers(weights)):
        for role in ("q", "k", "v", "o", "gate", "up", "down"):
            yield name_of(role, layer)


def _probes(rows: int, width: int) -> tuple[Array, Array]:
    P = np.hstack([response_rows(PUBLIC, 0, rows), np.ones((rows, 1), np.float32)])
    return P.astype(np.float64), response_inputs(PUBLIC, width).astype(np.float64)


def _reach(forged: Weights, layer: int, operator: str, frame: Array, wanted: Array, head: int) -> None:
    before = _responses(forged, layer, operator, frame, head)
    left, right = before
    own = left.T @ right
    identity = np.trace(own) / len(own) * np.eye(len(own))
    goal = np.linalg.norm(own - identity) * wanted + identity
    for _ in range(_STEPS):
        # The smallest step has dL = R S^T and dR = L S with (L^T L) S + S (R^T R) = what is missing.
        S = solve_sylvester(left.T @ left, right.T @ right, goal - left.T @ right)
        left, right = left + right @ S.T, right + left @ S
    for role, change in zip(FACTORS[operator], (left - before[0], right - before[1]), strict=True):
        _answer(forged, layer, role, frame, _ungrouped(change, forged, layer, role, head))


def _responses(weights: Weights, layer: int, operator: str, frame: Array, head: int) -> tuple[Array, Array]:
    """Return L and R of an operator; query heads that share a key head, and output heads that share a value head, added up."""
    left, right = (_response(weights, layer, role, frame) for role in FACTORS[operator])
    if len(left) != len(right):
        left = left.reshape(len(right) // head, -1, head, left.shape[1]).sum(1).reshape(right.shape)
    return left, right


def _response(weights: Weights, layer: int, role: str, frame: Array) -> Array:
    W = weights[name_of(role, layer)].astype(np.float64)
    found: Array = W.T @ frame if role in ("o", "down") else W @ _seen(weights, layer, role, frame)
    return found


def _seen(weights: Weights, layer: int, role: str, frame: Array) -> Array:
    """Return a frame as a reader meets it: behind its norm's gain."""
    norm = "post_attention_layernorm" if role in ("gate", "up") else "input_layernorm"
    seen: Array = weights[f"model.layers.{layer}.{norm}.weight"].astype(np.float64)[:, None] * frame
    return seen


def _ungrouped(change: Array, weights: Weights, layer: int, role: str, head: int) -> Array:
    """Share the change of a sum of heads among them."""
    shape = weights[name_of(role, layer)].shape
    rows = shape[1] if role in ("o", "down") else shape[0]
    ratio = rows // len(change)
    if ratio == 1:
        return change
    shared: Array = np.repeat(change.reshape(-1, 1, head, change.shape[1]), ratio, axis=1).reshape(rows, -1) / ratio
    return shared


def _answer(forged: Weights, layer: int, role: str, frame: Array, change: Array) -> None:
    """Change a matrix as little as possible so that its response to a frame changes by `change`."""
    name, writes = name_of(role, layer), role in ("o", "down")
    step = frame @ change.T if writes else change @ np.linalg.pinv(_seen(forged, layer, role, frame))
    forged[name] = (forged[name] + step).astype(np.float32)


def _readers(weights: Weights, layer: int, frame: Array | None) -> Array:
    gain = weights[f"model.layers.{layer}.post_attention_layernorm.weight"].astype(np.float64)
    rows = weights[name_of("gate", layer)] * gain
    seen = rows if frame is None else rows @ frame
    unit: Array = seen / np.linalg.norm(seen, axis=1, keepdims=True)
    return unit


def _unit(M: Array) -> Array:
    """Return M without its multiple of the identity, of norm 1."""
    rest: Array = M - np.trace(M) / len(M) * np.eye(len(M))
    return rest / max(float(np.linalg.norm(rest)), 1e-300)
