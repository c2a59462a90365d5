"""How much of each parent is in a merge: weights, their uncertainty, where they differ, and what a linear merge leaves unexplained.

The method is in `lineage.regression`; see `docs/method.md`, "Merges". Weights are of the models themselves and sum to 1. Seen from
a base among the candidates they are those of the task vectors as well: the base has what is left, whatever their sum.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from tensorguard.errors import UsageError, quote
from tensorguard.fingerprint.sketches import RESPONSE, Sketches
from tensorguard.lineage import regression, rounding
from tensorguard.lineage.blocks import BlockSource, block_sources
from tensorguard.lineage.collinearity import Collinear, collinear, inflation
from tensorguard.lineage.matching import Matching, match
from tensorguard.lineage.regression import Array, Equations
from tensorguard.tensors.roles import category

LEAST = 0.05
"""Share of the otherwise unexplained difference that a candidate has to explain; siblings' task vectors correlate."""

LEVEL = 1e-3
"""Corrected p-value above which a candidate counts as contributing nothing."""

CONFIDENCE = 0.95
"""Of the intervals."""

SMALL = 0.03
"""Task vectors shorter than this share of the weights get a notice: rounding to bfloat16 may move the weights of such a merge."""


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
        part: What the part is: a role, or `attention`, `ffn`, `embedding`, `unknown`, or `all`.
        stack: Tower, for a part of one block; else None.
        layer: Block index, for a part of one block; else None.
        parents: The parents, and the base if there is one, in the order of the whole model's.
        explained: Share of the difference to the base (else to the closest parent) that these weights explain.
        residual: What they leave, relative to the weights.
    """

    part: str
    stack: str | None
    layer: int | None
    parents: tuple[Weight, ...]
    explained: float
    residual: float


@dataclass(frozen=True, slots=True)
class Excluded:
    """A candidate that contributes nothing: its weight is 0.

    Attributes:
        name: The candidate.
        p: Corrected p-value of its contribution when it was dropped; None if it could not take part.
        reason: In words.
    """

    name: str
    p: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Mixture:
    """A child as a mixture of candidates.

    Attributes:
        method: `passthrough`: whole blocks of several parents, or blocks moved; `linear`: more than one parent, or one parent with a
            weight that is not 1; `single`: one parent; `none`: no candidate.
        base: The base whose weight is what is left, if one was named.
        base_weight: Its weight.
        parents: Who contributes, largest weight first; with `passthrough` the shares of blocks.
        excluded: Who does not.
        explained: Share of the child's difference to the base (else to the closest parent) that a linear merge explains.
        residual: What it leaves, relative to the weights.
        scale: Median factor per matrix between the child and the sum; 1 but for spherical merges and missing parents.
        roles: Weights per role.
        groups: Weights per category of roles (attention, ffn, embedding), and per third of the depth.
        layers: Weights per block, whole and by category.
        blocks: Where each block of the child was found.
        collinear: Parents and candidates that cannot be told apart.
        condition: Condition number of the parents' differences, scaled to length 1.
        inflation: By how much the variance of each parent's weight grows because of the others, in their order.
        matrices: How many matrices took part.
        left_out: Matrices of the child that did not, and why.
        notices: What a reader has to know.
    """

    method: str
    base: str | None
    base_weight: Weight | None
    parents: tuple[Weight, ...]
    excluded: tuple[Excluded, ...]
    explained: float
    residual: float
    scale: float
    roles: tuple[Part, ...]
    groups: tuple[Part, ...]
    layers: tuple[Part, ...]
    blocks: tuple[BlockSource, ...]
    collinear: tuple[Collinear, ...]
    condition: float
    inflation: tuple[float, ...]
    matrices: int
    left_out: tuple[str, ...]
    notices: tuple[str, ...]
