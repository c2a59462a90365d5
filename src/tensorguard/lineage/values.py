"""What was done to the values of one model to make those of another, as far as sketches and traces tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tensorguard.fingerprint.sketches import Sketches
from tensorguard.lineage.component_tests import CORRELATED
from tensorguard.lineage.evidence import Evidence
from tensorguard.lineage.pairing import paired_places
from tensorguard.signals.traces import TRACES

_BLOCK_ROLES = frozenset(CORRELATED["attention"] + CORRELATED["mlp"])
_CAST = 0.006
"""Relative difference that a cast to bfloat16 can make: 2^-8 at most, its root mean square less."""
_FEWER = 0.97
"""Share of distinct values below which one model has visibly fewer than the other."""
_FEWER_OF_16_BITS = 0.94
"""The same among 32 neighbours where only one of the models is stored with 16 bits."""
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
class Side:
    """Traces of one model, averaged over the matrices that were compared.

    Attributes:
        zeros: Share of zeros.
        bf16: Share of values that bfloat16 holds exactly.
        f16: Share of values that float16 holds exactly.
        distinct_32: Distinct values among 32 neighbours, as a share of what there can be with so many zeros.
        distinct_row: Distinct values in (part of) a row, likewise.
    """

    zeros: float
    bf16: float
    f16: float
    distinct_32: float
    distinct_row: float

    @property
    def short(self) -> bool:
        """Whether 16 bits hold every value."""
        return self.bf16 == 1 or self.f16 == 1


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
    """

    difference: float
    roles: Mapping[str, float]
    unchanged: tuple[str, ...]
    changed: tuple[str, ...]
    low_rank: bool
    coarse: bool
    sides: tuple[Side, Side]

    def cast(self) -> int | None:
        """Return which model (0 or 1) is the other one with its values rounded to 16 bits, or None."""
        if not self.difference <= _CAST:
            return None
        a, b = self.sides
        return None if a.short == b.short else 0 if a.short else 1

    def quantised(self) -> int | None:
        """Return which model holds visibly fewer distinct values than the other, or None."""
        if self.coarse:
            return None
        a, b = self.sides
        if a.short != b.short:  # 16 bits alone make values meet, in a long row more than among 32
            ratio = a.distinct_32 / b.distinct_32
            return 0 if ratio < _FEWER_OF_16_BITS else 1 if ratio > 1 / _FEWER_OF_16_BITS else None
        ratios = (a.distinct_32 / b.distinct_32, a.distinct_row / b.distinct_row)
        return 0 if min(ratios) < _FEWER and max(ratios) < 1 / _FEWER else 1 if max(ratios) > 1 / _FEWER else None

    def pruned(self) -> int | None:
        """Return which model has many more zeros than the other, or None."""
        a, b = self.sides
        return 0 if a.zeros > b.zeros + _ZEROS else 1 if b.zeros > a.zeros + _ZEROS else None


def compare_values(a: Sketches, b: Sketches, evidence: Evidence) -> Values:
    """Compare the values of two models, matrix by matrix along the evidence's pairs of blocks; see `Values`."""
    inside = [
        _Compared(a.places[i].role, i, j, _difference(a.response[i], b.response[j]))
        for i, j in paired_places(a, b, evidence.blocks)
        if a.places[i].role in _BLOCK_ROLES
    ]
    roles: dict[str, list[float]] = {}
    for each in inside:
        roles.setdefault(each.role, []).append(each.difference)
    changed = tuple(role for role, differences in roles.items() if max(differences) > _EQUAL)
    return Values(
        difference=_median([each.difference for each in inside]),
        roles={role: _median(differences) for role, differences in roles.items()},
        unchanged=tuple(role for role in roles if role not in changed),
        changed=changed,
        low_rank=_low_rank(a, b, [each for each in inside if each.role in changed]),
        coarse=_coarse(a, [each.first for each in inside if each.difference <= _EQUAL]),
        sides=(_side(a, [each.first for each in inside]), _side(b, [each.second for each in inside])),
    )


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
    return bool(unchanged) and _side(model, unchanged).distinct_32 < _FEWER_OF_16_BITS


def _side(model: Sketches, compared: Sequence[int]) -> Side:
    shares = [_shares(model, index) for index in compared]
    return Side(*map(float, np.mean(shares, axis=0))) if shares else Side(0.0, 0.0, 0.0, 1.0, 1.0)


def _shares(model: Sketches, index: int) -> tuple[float, float, float, float, float]:
    traces = dict(zip(TRACES, map(float, model.traces[index]), strict=True))
    zeros = traces["zeros"]
    possible = [(1 - zeros) * count + (zeros > 0) for count in (32, min(model.places[index].columns, 1024))]
    distinct = [traces[name] / max(most, 1.0) for name, most in zip(("distinct_32", "distinct_row"), possible, strict=True)]
    return zeros, traces["bf16"], traces["f16"], min(1.0, distinct[0]), min(1.0, distinct[1])


def _low_rank(a: Sketches, b: Sketches, changed: Sequence[_Compared]) -> bool:
    shares = []
    for each in changed:
        values = np.linalg.svd((a.response[each.first] - b.response[each.second]).astype(np.float64), compute_uv=False)
        shares.append(float((values[_HALF:] ** 2).sum() / max((values**2).sum(), 1e-300)))
    return bool(shares) and float(np.median(shares)) < _LOW_RANK**2
