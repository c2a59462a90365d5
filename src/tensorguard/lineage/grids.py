"""What the traces of one model's values say of the numbers they can be: how precise, how few, how many of them zero."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tensorguard.fingerprint.sketches import Sketches
from tensorguard.signals.traces import TRACES

_FEWER = 0.97
"""Share of distinct values below which one model has visibly fewer than the other."""
_FEWER_OF_16_BITS = 0.94
"""The same among 32 neighbours of a model that is stored less precisely than the other: 16 bits alone make values meet."""
_GRID = 0.7
"""Share of distinct values among 32 neighbours, zeros apart, below which a model's values lie on a grid: 5 bits and fewer do."""
_ZERO_LEVELS = 2.5
"""Share of zeros, as a multiple of 1 / distinct values, that a grid has by itself: 1.8, 1.7, 1.4 of 2, 3, 4 bits."""
_NOISE = 0.04
"""Relative difference that a grid leaves at least, for each value in 32 neighbours that it makes meet another one.

Measured on the containers benchmark's 60 formats: the difference over (1 - share of distinct values) is 0.07 (8 bits) to 0.6 (2 bits).
"""

_BITS = re.compile(r"(?:^|[-:_]|[A-Z])([0-9]{1,2})(?![0-9])")
"""The first number of such a name."""
_NAME = re.compile(r"[A-Z0-9_:-]{1,24}")
"""What such names are made of; others, in a fingerprint that somebody else made, are not shown."""


@dataclass(frozen=True, slots=True)
class Side:
    """Traces of one model, averaged over the matrices that were compared.

    Attributes:
        zeros: Share of zeros.
        bf16: Share of values that bfloat16 holds exactly.
        f16: Share of values that float16 holds exactly.
        distinct_32: Distinct values among 32 neighbours, as a share of these.
        distinct_row: Distinct values in (part of) a row, likewise.
    """

    zeros: float = 0.0
    bf16: float = 0.0
    f16: float = 0.0
    distinct_32: float = 1.0
    distinct_row: float = 1.0

    @property
    def precision(self) -> int:
        """How many bits of significand hold every value: 8 (bfloat16), 11 (float16), or 24."""
        return 8 if self.bf16 == 1 else 11 if self.f16 == 1 else 24

    @property
    def on_grid(self) -> bool:
        """Whether few values occur, zeros apart."""
        return self.distinct_32 < _GRID * _expected(1.0, self.zeros, 32)

    def least_noise(self, other: "Side") -> float:
        """Return by how much the models differ at least, relatively, if the other's values were rounded to these."""
        return _NOISE * max(0.0, _expected(other.distinct_32, max(self.zeros - other.zeros, 0.0), 32) - self.distinct_32)

    def coarser(self, other: "Side") -> bool:
        """Say whether fewer values occur than in the other, and neither its zeros nor 16 bits are the reason."""
        zeros = max(self.zeros - other.zeros, 0.0)
        among_32 = _expected(other.distinct_32, zeros, 32)
        if self.precision < other.precision:
            return self.distinct_32 < _FEWER_OF_16_BITS * among_32
        in_row = _expected(other.distinct_row, zeros, 1024)
        return self.distinct_32 < _FEWER * among_32 or self.distinct_row < _FEWER * in_row

    def sparser(self, other: "Side", least: float) -> bool:
        """Say whether it has more zeros than the other, by `least` of all values and by more than its grid has by itself."""
        by_itself = _ZERO_LEVELS / max(32 * self.distinct_32, 1.0)
        return self.zeros > other.zeros + max(least, by_itself)


def packed_as(stored: Mapping[str, int]) -> str:
    """Return how most numbers of a model are stored if they are packed into few bits, as `GPTQ-4`; else nothing.

    Args:
        stored: How many numbers are stored as what: `F32`, `BF16`, `GGUF:Q4_K`, `GPTQ-4`, ...
    """
    commonest = max(stored, key=lambda name: (stored[name], name), default="")
    return commonest.removeprefix("GGUF:") if _NAME.fullmatch(commonest) and 0 < bits_of(commonest) < 16 else ""


def bits_of(name: str) -> int:
    """Return how many bits a value takes by the name of how it is stored, 0 where it does not tell: 4 of `Q4_K`, `GPTQ-4`, `BNB-NF4`."""
    found = _BITS.search(name)
    return int(found[1]) if found else 0


def noise_of(bits: int) -> float:
    """Return the relative difference that rounding to so many bits leaves at least: half of what any format was seen to leave."""
    return float(2.0 ** -(bits + 1))


def side(model: Sketches, compared: Sequence[int]) -> Side:
    """Return the mean traces of these matrices of a model."""
    if not compared:
        return Side()
    traces = dict(zip(TRACES, model.traces[list(compared)].astype(np.float64).T, strict=True))
    long = np.array([max(1, min(model.places[index].columns, 1024)) for index in compared])
    shares = (traces["distinct_32"] / 32, traces["distinct_row"] / long)
    zeros, bf16, f16, among_32, in_row = (
        float(np.mean(np.minimum(each, 1.0))) for each in (traces["zeros"], traces["bf16"], traces["f16"], *shares)
    )
    return Side(zeros, bf16, f16, among_32, in_row)


def _expected(distinct: float, zeros: float, count: int) -> float:
    """Return the share of distinct values that is left of one when so many of the values, whichever, become zero."""
    return min(distinct, distinct * (1 - zeros) + (zeros > 0) / count)
