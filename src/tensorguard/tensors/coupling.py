"""Which matrices share units, told from the weights alone: rotary dimensions, value dimensions, neurons.

Flipping the sign of a unit in both matrices that share it changes nothing that the model computes: row i of q and of k (per rotary
pair), row i of v and column i of o, row i of up and column i of down. Initial weights do not prefer either sign and training keeps the
symmetry, so between matrices that share no units (gate and down, q and v, ...) the products of cosines below have random signs: their sums
are normal with known variance. Between those that share them they add up. Neither order, signs nor scales of units matter, nor any
rotation of the residual stream.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.tensors.base import Float32, Stored

_FEW, _MANY = (512, 768), (256, 384)
"""How many units of a matrix are looked at, at how many coordinates of the residual stream: among few matrices and among many."""
_MANY_FACES = 160

_TWINS = 0.95
"""Units with a cosine beyond this are copies of one unit (padding, upcycling): they flip together, so their product has a sign."""

_CHUNK = 16
"""Units at a time."""

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Side:
    """Where one side of a matrix is stored.

    Attributes:
        stored: A matrix.
        rows: Whether its rows are the units, else its columns.
        units: How many units its partner has.
        first: First row or column of a part (v in a fused qkv).
        share: How many heads of this matrix share one head of its partner (grouped queries); their directions are added.
        head: Units of a head, if heads are shared.
    """

    stored: Stored
    rows: bool
    units: int
    first: int = 0
    share: int = 1
    head: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Sides of matrices as directions in the residual stream.

    Attributes:
        directions: Unit rows, float32 of shape (faces, units, coordinates); zeros for a unit that does nothing.
    """

    directions: Float32

    def angles(self) -> Float32:
        """Return cosines between every two different units, float32 of shape (faces, units (units - 1) / 2); 0 for twins."""
        upper = np.triu_indices(self.directions.shape[1], 1)
        cosines = np.stack([(each @ each.T)[upper] for each in self.directions])
        return np.where(np.abs(cosines) < _TWINS, cosines, 0)


def faces(sides: Sequence[Side], among: int) -> Faces:
    """Read sides with the same number of units.

    Args:
        sides: At least one.
        among: How many there are to compare with; of many, less is read.

    Raises:
        InputError: The bytes cannot be read or decoded.
    """
    units, coordinates = _FEW if among <= _MANY_FACES else _MANY
    head = max(side.head for side in sides)
    units = max(min(units, sides[0].units) // head, 1) * head
    return Faces(np.stack([_directions(side, units, coordinates) for side in sides]))


def couplings(first: Faces, second: Faces) -> Scores:
    """Return how strongly every two faces share their units.

    Returns:
        float64 of shape (first, second): where no units are shared, chi-square with two degrees of freedom less its mean.
    """
    total, squares = _cosines(first, second)
    A, B = first.angles(), second.angles()
    return _squared(total, squares) + _squared(A @ B.T, np.square(A) @ np.square(B).T) - 2


def shared_stream(first: Faces, second: Faces) -> Scores:
    """Return `couplings` by the angles alone, for faces whose coordinates are not the same.

    The coordinates of the residual stream are units too, shared by all that read and write it.
    """
    A, B = first.angles(), second.angles()
    return _squared(A @ B.T, np.square(A) @ np.square(B).T) - 1


def closeness(first: Faces, second: Faces) -> Scores:
    """Return the mean squared cosine between units of the same number, float64 of shape (first, second).

    Blind to signs, so it also tells which gate belongs to an up: gates share the neurons but not the symmetry.
    """
    near: Scores = _cosines(first, second)[1] / first.directions.shape[1]
    return near


def _cosines(first: Faces, second: Faces) -> tuple[Scores, Scores]:
    """Return sums of the cosines between units of the same number, and of their squares."""
    A, B = first.directions.transpose(1, 0, 2), second.directions.transpose(1, 2, 0)
    total, squares = np.zeros((2, A.shape[1], B.shape[2]))
    for start in range(0, len(A), _CHUNK):
        cosines = A[start : start + _CHUNK] @ B[start : start + _CHUNK]
        total += cosines.sum(0)
        squares += np.square(cosines).sum(0)
    return total, squares


def _directions(side: Side, units: int, coordinates: int) -> Float32:
    rows, columns = side.stored.shape
    wanted = slice(side.first, side.first + units * side.share)
    if side.rows:
        found = side.stored.read(wanted, slice(0, columns))[:, :coordinates]
    else:
        found = side.stored.read(slice(0, min(coordinates, rows)), slice(0, columns))[:, wanted].T
    directions = unit_rows(np.nan_to_num(found, nan=0, posinf=0, neginf=0))
    if side.share == 1:
        return directions
    return unit_rows(directions.reshape(units // side.head, side.share, side.head, -1).sum(1).reshape(units, -1))


def _squared(total: NDArray[np.floating] | float, variance: NDArray[np.floating] | float) -> Scores:
    squared: Scores = np.square(np.asarray(total, np.float64)) / np.maximum(np.asarray(variance, np.float64), 1e-30)
    return squared


def unit_rows(rows: Float32) -> Float32:
    """Scale rows to norm 1; zeros stay zeros."""
    scale = np.abs(rows).max(1, keepdims=True, initial=0)
    scaled = rows / np.where(scale > 0, scale, 1)
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(norms > 0, norms, 1), np.float32)
