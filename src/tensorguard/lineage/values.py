"""What was done to the values of one model to make those of another, as far as sketches and traces tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tensorguard.fingerprint.sketches import Sketches
from tensorguard.lineage.component_tests import CORRELATED
from tensorguard.lineage.evidence import Evidence
from tensorguard.lineage.grids import Side, side
from tensorguard.lineage.pairing import paired_places
from tensorguard.lineage.sampled import SampledBlocks

_BLOCK_ROLES = frozenset(CORRELATED["attention"] + CORRELATED["mlp"])
_CAST = 0.003
"""Relative difference that a cast to bfloat16 can make: 2^-8 / 3^(1/2) at most as a root mean square, 0.0017 of most models."""
_ZEROS = 0.08
"""Share of zeros that one model must have more than the other to count as pruned."""
_EQUAL = 1e-3
"""Relative difference below which sketches are equal within the rounding of their file."""
_LOW_RANK = 0.03
"""Energy outside the leading directions of a difference that is of low rank; float16 sketches leave about this much."""
_HALF = 8
"""A difference of at most this rank is recognised: half of a response sketch's columns."""


class _Compared(NamedTuple):
    role: str
    first: int
    second: int
    difference: float


@dataclass(frozen=True, slots=True)
class Values:
    """How the values of two models differ, over matrices in blocks that were compared.

    Attributes:
        difference: Median relative difference, |A - B| / (|A| |B|)^1/2, of the matrices that changed; 0 if none did, NaN where none
            could be compared.
        roles: The same of each role.
        unchanged: Roles whose matrices are all equal within rounding.
        changed: The other roles.
        low_rank: Whether what changed differs by few directions.
        coarse: Whether what did not change lies on a grid already: then what changed left the grid, and did not come onto it.
        sides: Traces of the first and of the second model.
        rows: Whether first rows of some roles were compared, and not all matrices.
    """

    difference: float
    roles: Mapping[str, float]
    unchanged: tuple[str, ...]
    changed: tuple[str, ...]
    low_rank: bool
    coarse: bool
    sides: tuple[Side, Side]
    rows: bool = False

    def cast(self) -> int | None:
        """Return which model (0 or 1) is the other one with its values rounded to 16 bits, or None."""
        a, b = self.sides
        if not self.difference <= _CAST or a.precision == b.precision:
            return None
        short = 0 if a.precision < b.precision else 1
        return None if self.sides[short].coarser(self.sides[1 - short]) else short

    def quantised(self) -> int | None:
        """Return which model is the other one on a grid of fewer values, or None."""
        if self.coarse:
            return None
        coarser = [at for at in (0, 1) if self.sides[at].coarser(self.sides[1 - at])]
        if len(coarser) != 1 or self.difference < self._noise(coarser[0]):
            return None
        return coarser[0]

    def two_grids(self) -> bool:
        """Say whether both lie on grids that are neither the same nor one coarser than the other."""
        return not self.coarse and not self.unchanged and all(each.on_grid for each in self.sides)

    def left_grid(self) -> int | None:
        """Return which model left the grid that the other lies on: they differ by less than coming onto it would; else None."""
        on = [at for at in (0, 1) if self.sides[at].on_grid]
        return 1 - on[0] if len(on) == 1 and self.difference < self._noise(on[0]) else None

    def pruned(self) -> int | None:
        """Return which model has many more zeros than the other, or None."""
        a, b = self.sides
        return 0 if a.sparser(b, _ZEROS) else 1 if b.sparser(a, _ZEROS) else None

    def _noise(self, child: int) -> float:
        """Return by how much the models differ at least if one is the other's values rounded to fewer."""
        return self.sides[child].least_noise(self.sides[1 - child])


def compare_values(a: Sketches, b: Sketches, evidence: Evidence) -> Values:
    """Compare the values of two models, matrix by matrix along the evidence's pairs of blocks; see `Values`."""
    inside = [
        _Compared(a.places[i].role, i, j, _difference(a.response[i], b.response[j]))
        for i, j in paired_places(a, b, evidence.blocks)
        if a.places[i].role in _BLOCK_ROLES
    ]
    return _values(a, b, inside, rows=False)


def compare_rows(a: Sketches, b: Sketches, sampled: SampledBlocks) -> Values:
    """Compare the values of two models by the samples of their matrices' first rows; whether few directions changed is not known then."""
    ours, theirs = ({place: row for row, place in enumerate(model.sampled)} for model in (a, b))
    inside = [
        _Compared(a.places[i].role, i, j, _apart(a.sample[ours[i]], b.sample[theirs[j]]))
        for i, j in paired_places(a, b, sampled.pairs)
        if i in ours and j in theirs
    ]
    return _values(a, b, inside, rows=True)


def _values(a: Sketches, b: Sketches, inside: Sequence[_Compared], *, rows: bool) -> Values:
    roles: dict[str, list[float]] = {}
    for each in inside:
        roles.setdefault(each.role, []).append(each.difference)
    changed = tuple(role for role, differences in roles.items() if max(differences) > _EQUAL)
    return Values(
        difference=_median([each.difference for each in inside]),
        roles={role: _median(differences) for role, differences in roles.items()},
        unchanged=tuple(role for role in roles if role not in changed),
        changed=changed,
        low_rank=not rows and _low_rank(a, b, [each for each in inside if each.role in changed]),
        coarse=_coarse(a, [each.first for each in inside if each.difference <= _EQUAL]),
        sides=(side(a, [each.first for each in inside]), side(b, [each.second for each in inside])),
        rows=rows,
    )


def _apart(A: NDArray[np.int8], B: NDArray[np.int8]) -> float:
    """Return the relative difference of two samples of equal norm."""
    first, second = (each.astype(np.float64) / max(float(np.linalg.norm(each.astype(np.float64))), 1.0) for each in (A, B))
    return float(np.linalg.norm(first - second))


def _difference(A: NDArray[np.float32], B: NDArray[np.float32]) -> float:
    """Return |A - B| / (|A| |B|)^1/2, the same seen from either; infinite where one is zero and the other is not."""
    ours, theirs, apart = (float(np.linalg.norm(each.astype(np.float64))) for each in (A, B, A.astype(np.float64) - B))
    if not apart > 0:
        return 0.0
    return apart / float(np.sqrt(ours * theirs)) if ours > 0 and theirs > 0 else float("inf")


def _median(differences: Sequence[float]) -> float:
    """Return the median of those that are not zero, 0 if all are, NaN of none."""
    if not differences:
        return float("nan")
    return float(np.median([each for each in differences if each > _EQUAL] or [0.0]))


def _coarse(model: Sketches, unchanged: Sequence[int]) -> bool:
    return bool(unchanged) and side(model, unchanged).on_grid


def _low_rank(a: Sketches, b: Sketches, changed: Sequence[_Compared]) -> bool:
    shares = []
    for each in changed:
        values = np.linalg.svd((a.response[each.first] - b.response[each.second]).astype(np.float64), compute_uv=False)
        shares.append(float((values[_HALF:] ** 2).sum() / max((values**2).sum(), 1e-300)))
    return bool(shares) and float(np.median(shares)) < _LOW_RANK**2
