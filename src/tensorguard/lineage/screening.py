"""A first look at two models: how alike their blocks act, against four rotations instead of a null distribution.

It ranks candidates and is no evidence: about a thirtieth of what `evidence` costs. Token space is each model's own here
(`signals.operator_evidence.between_anchors`), so that a model is made ready once for all that it is compared with.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import UsageError
from tensorguard.fingerprint.sketches import Sketches
from tensorguard.lineage.alignment import assignment_sums, path_scores
from tensorguard.signals.operator_evidence import FEWEST, between_anchors, fixed_basis
from tensorguard.signals.rotations import haar

DRAWS = 4
"""Rotations; the null's mean is off by half of the spread of one draw, 0.005 or so."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """A model's operators in one basis.

    Attributes:
        operators: Of norm 1 or zero, of shape (blocks, operators, n, n).
        there: Which blocks have which, of shape (blocks, operators).
    """

    operators: NDArray[np.float32]
    there: NDArray[np.bool_]


class Screen:
    """A model that many are compared with."""

    def __init__(self, model: Sketches) -> None:
        """Make its operators ready, and turn them."""
        self._key = model.key
        self._ready = _ready(model)
        self._turned = {basis: _turned(each.operators) for basis, each in self._ready.items()}

    def __call__(self, other: Sketches) -> float:
        """Return the largest excess of the mean operator cosine along the best path or the best one-to-one pairs of blocks, over the bases.

        Returns:
            As `Evidence.excess` but for the noise of four draws; 0 if nothing can be compared.

        Raises:
            UsageError: The fingerprints were made with different keys.
        """
        if other.key != self._key:
            raise UsageError(f"fingerprints of different keys ({self._key}, {other.key}) say nothing about each other")
        theirs = _ready(other)
        found = [_excess(mine, self._turned[basis], theirs[basis]) for basis, mine in self._ready.items() if basis in theirs]
        return max(found, default=0.0)


def screen(a: Sketches, b: Sketches) -> float:
    """Return `Screen(a)(b)`; whoever compares one model with many keeps the `Screen`.

    Raises:
        UsageError: The fingerprints were made with different keys.
    """
    return Screen(a)(b)


def _ready(model: Sketches) -> dict[str, _Ready]:
    operators = {"fixed": fixed_basis(model.fixed).astype(np.float32)}
    for basis, raw, gram in (("words", model.words, model.word_gram), ("ids", model.ids, model.id_gram)):
        if (np.diagonal(gram) > 0).sum() >= FEWEST:
            operators[basis] = between_anchors(raw, gram)
    return {basis: _Ready(each, np.any(each, axis=(2, 3))) for basis, each in operators.items() if len(each)}


def _turned(operators: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return operators as they are, and R M R^T for each rotation: of shape ((1 + DRAWS) * blocks, operators * n * n)."""
    R = haar(operators.shape[-1])[:DRAWS, None, None]
    return np.concatenate([operators[None], R @ operators @ R.swapaxes(-1, -2)]).reshape((1 + DRAWS) * len(operators), -1)


def _excess(mine: _Ready, turned: NDArray[np.float32], theirs: _Ready) -> float:
    shared = mine.there.any(0) & theirs.there.any(0)
    pairs = min(int(each.there[:, shared].any(1).sum()) for each in (mine, theirs))
    if not pairs:
        return 0.0
    both = mine.there.astype(np.float32) @ theirs.there.T.astype(np.float32)
    cosines = (turned @ theirs.operators.reshape(len(theirs.operators), -1).T).reshape(1 + DRAWS, *both.shape) / np.maximum(
        both, 1
    )
    scores = np.stack([path_scores(cosines), assignment_sums(cosines)]) / pairs
    return float((scores[:, 0] - scores[:, 1:].mean(1)).max())
