"""What a deep comparison finds: plain data, ready for JSON by `dataclasses.asdict`."""

from dataclasses import dataclass
from typing import Literal

from tensorguard.lineage.deep.recovered import Recovery

Kind = Literal["identical", "cast", "quantised", "pruned", "scaled", "low-rank", "full", "unrelated"]
"""How a pair of tensors relates; the kinds are tried in this order.

`identical`: every value equal; `cast`: one is the other rounded to bfloat16 or float16; `pruned`: zeros apart, every value equal;
`quantised`: one lies on a coarse grid and the other does not; `scaled`: equal up to a factor of the whole, of each row or of each
column; `low-rank`: the difference has a low rank (a merged LoRA); `full`: related, and none of these; `unrelated`: a cosine near 0.
"""

Overall = Kind | Literal["partial"]
"""`partial`: everything that has a partner is identical, but not everything has one."""

Side = Literal["first", "second", ""]
"""Which of the two was made from the other, where a pair of tensors says it; empty where it does not."""


@dataclass(frozen=True, slots=True)
class Zeros:
    """The pattern of zeros.

    Attributes:
        first: Share of zeros in the first tensor.
        second: In the second.
        kept: Share of the second's zeros that are zeros of the first; 0 where it has none.
        surviving: Share of the sparser one's nonzero values that the other holds too, exactly or rounded to 16 bits.
    """

    first: float
    second: float
    kept: float
    surviving: float


@dataclass(frozen=True, slots=True)
class Grid:
    """The grid that a sample of rows or columns of one tensor lies on.

    Attributes:
        axis: `row` or `column`: along which side of W the groups lie.
        group: Values that share a scale.
        whole: The groups are whole rows or columns.
        levels: Most steps between the least and the largest value of a group, or distinct values less one of a codebook.
        bits: Bits that so many levels take.
        codebook: `uniform`, `nf4`, `fp4`, or `other` for 16 uneven values or less.
        step: Median distance between neighbouring levels.
        fit: Share of groups on such a grid.
        nearest: Share of values that are the other tensor's, rounded to the nearest level; low after GPTQ or further training.
    """

    axis: Literal["row", "column"]
    group: int
    whole: bool
    levels: int
    bits: int
    codebook: Literal["uniform", "nf4", "fp4", "other"]
    step: float
    fit: float
    nearest: float


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The singular values of the difference A - B, by a randomised range finder with 96 columns.

    Attributes:
        rank: Its rank above rounding, or None: more than could be told, or hidden by the rounding.
        stable_rank: ||A - B||_F^2 / s_1^2; an upper bound where the rank is None.
        energy: Share of ||A - B||_F^2 in the leading 8, 16, 32 and 64 singular values; lower bounds where the rank is None.
        rounding: Share of ||A - B||_F^2 that rounding both tensors to the precision they are stored in explains.
    """

    rank: int | None
    stable_rank: float
    energy: tuple[float, float, float, float]
    rounding: float


@dataclass(frozen=True, slots=True)
class TensorComparison:
    """Two tensors in one place.

    Attributes:
        stack: Tower.
        layer: Block in the first model, or None.
        other_layer: Block in the second model.
        role: Role; of vectors with their part (`norm:attention_in`).
        expert: Expert index, or None.
        shape: What was compared: (rows, columns), the common first rows where one vocabulary is longer.
        cosine: <A, B> / (||A|| ||B||), exact; 0 where one is all zeros.
        difference: ||A - B|| / ||B||.
        scale: c that makes ||A - c B|| least.
        equal: Share of values that are equal.
        bf16: Share of the first's, and of the second's, values that bfloat16 holds.
        row_cosine: Median cosine between rows; `column_cosine` between columns. They stay 1 where rows or columns are scaled.
        column_cosine: See above.
        zeros: Pattern of zeros.
        grids: Grid of the first, and of the second; None where there is none.
        spectrum: Spectrum of the difference; None where something simpler explains it.
        kind: How they relate.
        made: Which one was made from the other.
        detail: The cast's type, `rows` or `columns` or `whole` of a scaling, the grid of a quantisation; else empty.
    """

    stack: str
    layer: int | None
    other_layer: int | None
    role: str
    expert: int | None
    shape: tuple[int, int]
    cosine: float
    difference: float
    scale: float
    equal: float
    bf16: tuple[float, float]
    row_cosine: float
    column_cosine: float
    zeros: Zeros
    grids: tuple[Grid | None, Grid | None]
    spectrum: Spectrum | None
    kind: Kind
    made: Side
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RoleSummary:
    """One role over all blocks.

    Attributes:
        role: The role; vectors with their part.
        compared: Pairs of this role.
        kinds: (kind, count), most frequent first.
        cosine: Mean cosine.
        least: Least cosine.
        difference: Median of ||A - B|| / ||B||.
        rank: Median rank of the low-rank ones; None without any.
        layers: Blocks of the first model in which something is not identical.
    """

    role: str
    compared: int
    kinds: tuple[tuple[Kind, int], ...]
    cosine: float
    least: float
    difference: float
    rank: int | None
    layers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Deep:
    """Two models compared value by value.

    Attributes:
        kind: The overall kind: of the matrices that are not identical, the one that most of them are, by number of values.
        made: Which model was made from the other, where the kinds of all say one; else empty.
        sentence: The finding in words: "only q and v changed, by rank 8".
        share: (kind, share of the compared matrix values), largest first.
        roles: By role, canonical order.
        tensors: Every pair in canonical order, matrices before vectors.
        unmatched: Names of the first model's tensors without a partner; untrusted text.
        unmatched_second: The second model's.
        recovery: Blocks that are unrelated as they stand, with a disguise undone; None where there are none.
    """

    kind: Overall
    made: Side
    sentence: str
    share: tuple[tuple[Kind, float], ...]
    roles: tuple[RoleSummary, ...]
    tensors: tuple[TensorComparison, ...]
    unmatched: tuple[str, ...]
    unmatched_second: tuple[str, ...]
    recovery: Recovery | None = None
