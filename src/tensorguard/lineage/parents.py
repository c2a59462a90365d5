"""Weights of chosen parents in the whole model and in its parts, with intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from tensorguard.fingerprint.sketches import Place, Sketches
from tensorguard.lineage import regression, rounding
from tensorguard.lineage.regression import Array, Equations
from tensorguard.signals.traces import TRACES
from tensorguard.tensors.roles import category

CONFIDENCE = 0.95
"""Of the intervals."""

_FEW = 5


@dataclass(frozen=True, slots=True)
class Weight:
    """A weight of a parent.

    Attributes:
        name: The parent.
        weight: By which it enters the sum; negative where it was subtracted.
        se: Standard error, by the jackknife.
        low: Lower end of the 95 % interval, rounding included.
        high: Upper end.
    """

    name: str
    weight: float
    se: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Part:
    """Weights in a part of the model.

    Attributes:
        part: What the part is: a role, `attention`, `ffn`, `embedding`, `unknown`, `all`, or a third of the depth.
        stack: Tower, for a part of one block; else None.
        layer: Block index, for a part of one block; else None.
        weights: Of the base if there is one, then of the parents, in the order of the whole model's.
        explained: Share of the difference to the closest single one of these models that the weights explain.
        residual: What they leave, relative to the child's weights.
    """

    part: str
    stack: str | None
    layer: int | None
    weights: tuple[Weight, ...]
    explained: float
    residual: float


@dataclass(frozen=True, slots=True)
class Fit:
    """A fit of a child on its parents.

    Attributes:
        equations: The normal equations.
        places: The child's matrices that take part, in their order.
        chosen: Indices of the parents among the equations' models; the base first if there is one.
        base: Index of the base, or None.
    """

    equations: Equations
    places: tuple[Place, ...]
    chosen: tuple[int, ...]
    base: int | None

    def parts(self, label: Callable[[Place], str | None], extra: Array, *, blockwise: bool) -> tuple[Part, ...]:
        """Return the weights in each part, parts in order of first appearance.

        Args:
            label: Name of the part that a matrix belongs to; None leaves it out.
            extra: How far rounding widens the intervals, shape (k, 2).
            blockwise: Every block apart.
        """
        groups: dict[tuple[str, str | None, int | None], list[int]] = {}
        for at, place in enumerate(self.places):
            name = label(place)
            if name is not None and not (blockwise and place.layer is None):
                where = (place.stack, place.layer) if blockwise else (None, None)
                groups.setdefault((name, *where), []).append(at)
        return tuple(self.part(*key, rows, extra) for key, rows in groups.items())

    def part(self, name: str, stack: str | None, layer: int | None, rows: Sequence[int], extra: Array) -> Part:
        """Return the weights in one part, a set of matrices."""
        blocks = self.blocks(rows)
        weight, covariance = regression.jackknife(blocks, self.chosen)
        se = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        half = float(special.stdtrit(max(len(blocks) - 1, 1), 0.5 + CONFIDENCE / 2)) * se
        names = [self.equations.models[each] for each in self.chosen]
        low, high = weight - half - extra[:, 0], weight + half + extra[:, 1]
        found = (Weight(*each) for each in zip(names, weight.tolist(), se.tolist(), low.tolist(), high.tolist(), strict=True))
        return Part(name, stack, layer, tuple(found), *self.quality(blocks.sum(axis=0), weight, len(rows)))

    def quality(self, gram: Array, weight: Array, matrices: int) -> tuple[float, float]:
        """Return which share of the difference to the closest parent is explained, and what is left."""
        left = float(regression.residual(gram, self.chosen, weight))
        before = min(float(regression.residual(gram, [each], np.ones(1))) for each in self.chosen)
        explained = 1.0 - left / before if before > regression.floor(matrices) else 0.0
        square = left / (matrices * regression.NUMBERS)
        return max(explained, 0.0), float(np.sqrt(square / (1.0 + square)))

    def varied(self) -> float:
        """Return which share of the difference to the closest parent is explained if every block and category has its own weights."""
        cells: dict[tuple[str, int | None, str], list[int]] = {}
        for at, place in enumerate(self.places):
            cells.setdefault((place.stack, place.layer, category(place.role)), []).append(at)
        grams = np.array([self.equations.gram[rows].sum(axis=(0, 1)) for rows in cells.values()])
        left = float(regression.residual(grams, self.chosen, regression.weights(grams, self.chosen)).sum())
        before = min(float(regression.residual(grams.sum(axis=0), [each], np.ones(1))) for each in self.chosen)
        return max(1.0 - left / before, 0.0) if before > regression.floor(len(self.places)) else 0.0

    def closest(self) -> int:
        """Return which of the chosen models is the closest to the child, an index among the equations' models."""
        gram = self.blocks().sum(axis=0)
        return min(self.chosen, key=lambda each: float(regression.residual(gram, [each], np.ones(1))))

    def blocks(self, rows: Sequence[int] | None = None) -> Array:
        """Return Gram matrices of disjoint parts: of the blocks, or of single columns of sketches if blocks are few.

        Args:
            rows: Matrices to use; all by default. Matrices outside the blocks count as one block per role.
        """
        rows = range(len(self.places)) if rows is None else rows
        found: dict[tuple[str, object], list[int]] = {}
        for at in rows:
            place = self.places[at]
            found.setdefault((place.stack, place.role if place.layer is None else place.layer), []).append(at)
        gram = self.equations.gram
        if len(found) < _FEW:
            return gram[list(rows)].reshape(-1, *gram.shape[-2:])
        return np.array([gram[inside].sum(axis=(0, 1)) for inside in found.values()])

    def widening(self, child: Sketches, parents: Sequence[Sketches], rows: Sequence[Sequence[int]]) -> Array:
        """Return how far rounding widens the intervals below and above, shape (k, 2).

        Two effects. The child was rounded: see `rounding`. The parents are known up to rounding only, if they were stored in 16
        bits after the merge was made from exact ones, and their sketches always: errors in variables, whose first-order bias
        is -n H D a (H the covariance of the weights a per unit of noise variance, D the noise variances of the n numbers).
        """
        grids = [rounding.grid(model, [row[at] for row in rows]) for at, model in enumerate((child, *parents))]
        blocks = self.blocks()
        gram = blocks.sum(axis=0)
        weight, covariance = regression.jackknife(blocks, self.chosen)
        half = float(special.stdtrit(len(blocks) - 1, 0.5 + CONFIDENCE / 2)) * np.sqrt(np.maximum(np.diag(covariance), 0.0))
        sizes = child.traces[[row[0] for row in rows], TRACES.index("rms")].astype(np.float64)
        numbers = len(self.places) * regression.NUMBERS
        extra = np.zeros((len(self.chosen), 2))
        for at, model in enumerate(self.chosen):
            others = [each for each in self.chosen if each != model]
            if not others:
                continue
            reference = others[0]
            inside = [model, *others[1:]]
            where = [self.chosen.index(each) for each in (reference, *inside)]
            inner = _relative(gram, inside, reference) / numbers
            kinds = [grids[0], *(grids[1 + w] for w in where)]
            wide = rounding.widened(weight[where[1:]], 0, float(half[at]), inner, kinds, sizes)
            extra[at] = weight[at] - half[at] - wide[0], wide[1] - weight[at] - half[at]
        noise = np.array([regression.STORAGE**2 + rounding.variance(kind) for kind in grids[1:]])
        bias = numbers * regression.sensitivity(gram, self.chosen) @ (noise * weight)
        return extra + np.maximum(np.stack([-bias, bias], axis=1), 0.0)


def _relative(gram: Array, models: Sequence[int], reference: int) -> Array:
    turn = np.zeros((len(models), gram.shape[-1]))
    turn[np.arange(len(models)), np.asarray(models) + 1] = 1.0
    turn[:, reference + 1] -= 1.0
    inner: Array = turn @ gram @ turn.T
    return inner
