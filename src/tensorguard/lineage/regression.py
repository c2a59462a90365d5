"""Least squares between models: responses of a child as an affine combination of those of others.

A response sketch P^T W X is linear in W, so whatever linear combination of weights made a child made its sketches too. All sums
that a fit needs are kept as one small Gram matrix per column of each sketch; any pooling (a role, a block, all but one block) is a
sum of some of them, and every fit is the solution of

    minimise |c - sum_i a_i m_i|^2   subject to   sum_i a_i = 1

in which c is the child and m_i are the models, all taken relative to one of them (the constraint makes the choice irrelevant; it
keeps the small differences between models from drowning in the large weights that they share).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special  # not scipy.stats, which takes long to load

from tensorguard.fingerprint.sketches import Sketches
from tensorguard.probes.rademacher import RESPONSE

Array = NDArray[np.float64]

STORAGE = 1.9e-4
"""Relative error of a float16 number, root mean square: half a unit in the last place is 2^-11 of the power of two below it, the
error uniform within it, |x| spread evenly over an octave: sqrt(2^-20 / 12 x 0.46)."""

INFORMATION = 64
"""Independent numbers that a test counts per matrix. A sketch holds 1024, but they share 16 columns and 64 rows of probes."""

NUMBERS = RESPONSE[0] * RESPONSE[1]
"""In a sketch."""

RIDGE = 1e-11
_NEGLIGIBLE = 1e-3
_SCALES = (0.25, 4.0)


@dataclass(frozen=True, slots=True)
class Equations:
    """Normal equations of a child on some models, matrix by matrix.

    Attributes:
        models: Names of the models; the first is the one that all are taken relative to.
        gram: Products between the child (index 0) and the models (from 1), float64 of shape (N, 16, m + 1, m + 1), summed over a
            column of the sketch; in units of the mean square of the first model's response.
        scale: By which each matrix of the child was divided, float64 of shape (N,): 1 in a linear merge; a spherical one
            (SLERP) has weights whose sum exceeds 1.
    """

    models: tuple[str, ...]
    gram: Array
    scale: Array


def equations(child: Sketches, models: Mapping[str, Sketches], rows: Sequence[Sequence[int]]) -> Equations:
    """Return the normal equations.

    Args:
        child: The model to be explained.
        models: What may explain it; the first is the reference, preferably the closest.
        rows: For each matrix its index in the child and in each of the models, in their order.
    """
    grams, scales = [], []
    for where in rows:
        pairs = zip((child, *models.values()), where, strict=True)
        responses = np.stack([each.response[at] for each, at in pairs]).astype(np.float64)
        reference = responses[1]
        scale = _scale(responses.reshape(len(responses), -1))
        responses[0] /= scale
        relative = (responses - reference) / np.sqrt(np.mean(reference**2))
        grams.append(np.einsum("arj,brj->jab", relative, relative))
        scales.append(scale)
    return Equations(tuple(models), np.array(grams), np.array(scales))


def _scale(responses: Array) -> float:
    """Return the sum of the weights of an unconstrained fit; about 0, clipped, where the child is none of these."""
    child, reference, *others = responses
    columns = np.stack([reference, *(each - reference for each in others)], axis=1)
    sizes = np.linalg.norm(columns, axis=0)
    columns = columns[:, sizes > 0]
    total = float(np.linalg.lstsq(columns / sizes[sizes > 0], child, rcond=None)[0][0] / sizes[0])
    return float(np.clip(total, *_SCALES))


def _inverse(gram: Array, chosen: Sequence[int]) -> tuple[Array, Array]:
    """Return the weights of a fit and the inverse of its equations, from Gram matrices of shape (..., m + 1, m + 1)."""
    k, models = len(chosen), np.asarray(chosen) + 1
    inner = gram[..., models[:, None], models]
    size = np.einsum("...ii->...", inner)[..., None, None] + 1e-30
    system = np.ones((*gram.shape[:-2], k + 1, k + 1))
    system[..., :k, :k] = inner / size + RIDGE * np.eye(k)
    system[..., k, k] = 0.0
    right = np.concatenate([gram[..., models, 0] / size[..., 0], np.ones((*gram.shape[:-2], 1))], axis=-1)
    inverse = np.linalg.inv(system)
    weight: Array = np.einsum("...ab,...b->...a", inverse, right)[..., :k]
    return weight, inverse[..., :k, :k] / size


def weights(gram: Array, chosen: Sequence[int]) -> Array:
    """Return the weights of the chosen models, float64 of shape (..., k) with sum 1, from (..., m + 1, m + 1)."""
    return _inverse(gram, chosen)[0]


def sensitivity(gram: Array, chosen: Sequence[int]) -> Array:
    """Return the covariance of the weights per unit of noise variance, float64 of shape (..., k, k)."""
    return _inverse(gram, chosen)[1]


def residual(gram: Array, chosen: Sequence[int], weight: Array) -> Array:
    """Return the sum of squares that weights of shape (..., k) leave, float64 of shape (...)."""
    signed = np.zeros((*weight.shape[:-1], gram.shape[-1]))
    signed[..., 0] = 1.0
    signed[..., np.asarray(chosen) + 1] = -weight
    left: Array = np.maximum(np.einsum("...a,...ab,...b->...", signed, gram, signed), 0.0)
    return left


def jackknife(blocks: Array, chosen: Sequence[int]) -> tuple[Array, Array]:
    """Return pooled weights, shape (k,), and their covariance, shape (k, k), by leaving out one block at a time.

    Args:
        blocks: Gram matrices of disjoint parts of the models, float64 of shape (B, m + 1, m + 1).
        chosen: The models that the fit may use.
    """
    total = blocks.sum(axis=0)
    pooled, count = weights(total, chosen), len(blocks)
    if count < 2 or len(chosen) < 2:
        return pooled, np.zeros((len(chosen), len(chosen)))
    left = weights(total - blocks, chosen)
    spread = left - left.mean(axis=0)
    return pooled, (count - 1) / count * (spread.T @ spread)


def bounded(gram: Array, lowest: float, highest: float) -> float:
    """Return the least that weights within bounds leave, from a Gram matrix of shape (m + 1, m + 1); their sum is 1 still."""
    values, vectors = np.linalg.eigh(gram)
    root = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    heavy = 1e3 * float(np.sqrt(np.trace(gram))) + 1e-30  # The weight of the equation that says the sum is 1.
    system = np.vstack([root[:, 1:], np.full(len(gram) - 1, heavy)])
    weight = optimize.lsq_linear(system, np.append(root[:, 0], heavy), bounds=(lowest, highest), method="bvls").x
    return float(residual(gram, range(len(gram) - 1), weight / weight.sum()))


def floor(matrices: int) -> float:
    """Return the sum of squares that rounding of the sketches themselves leaves, whatever the fit."""
    return 2.0 * STORAGE**2 * matrices * NUMBERS


def eliminate(blocks: Array, matrices: int, keep: int | None, least: float, level: float) -> tuple[list[int], dict[int, float]]:
    """Drop models that contribute nothing, one at a time, starting from all of them.

    Weights may differ from block to block (they do in passthrough merges and along the curve of a SLERP), so the test asks whether
    a model lowers what is left when every block has weights of its own: an F test, and a least share of what would be left
    without the model, for fine-tunes of one base have correlated task vectors and with enough numbers any correlation is significant.

    Args:
        blocks: Gram matrices of the blocks, float64 of shape (B, m + 1, m + 1).
        matrices: How many matrices they are made of.
        keep: A model that stays in whatever the tests say.
        least: Smallest share of the residual without it that a model has to explain.
        level: Largest p-value, Bonferroni-corrected for the number of models.

    Returns:
        The models that stay, and the p-values of those that went, at the moment they went.
    """
    models = blocks.shape[-1] - 1
    chosen, dropped, rest = list(range(models)), {}, floor(matrices)
    far = [float(residual(blocks.sum(axis=0), [each], np.ones(1))) for each in chosen]
    while len(chosen) > 1:
        weight, inverse = _inverse(blocks, chosen)
        now = float(residual(blocks, chosen, weight).sum()) + rest
        diagonal = np.maximum(np.einsum("...ii->...i", inverse), 1e-300)
        gain = np.sum(weight**2 / diagonal, axis=0)
        share = gain / (now + gain)
        freedom = matrices * INFORMATION - len(blocks) * len(chosen)
        ratio = gain / len(blocks) / (now / max(freedom, 1))
        p = np.minimum(special.fdtrc(len(blocks), max(freedom, 1), ratio) * models, 1.0)
        removable = [at for at, model in enumerate(chosen) if model != keep and (share[at] < least or p[at] > level)]
        if not removable:
            break
        # Of models that replace each other the one farthest from the child goes first.
        worst = min(removable, key=lambda at: (max(float(share[at]), _NEGLIGIBLE), -far[chosen[at]]))
        dropped[chosen.pop(worst)] = float(p[worst])
    return chosen, dropped
