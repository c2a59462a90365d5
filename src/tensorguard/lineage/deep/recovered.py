"""What undoing a disguise finds: plain data, ready for JSON."""

from dataclasses import dataclass
from typing import Literal

Change = Literal["none", "permutation", "rotation", "unknown"]


@dataclass(frozen=True, slots=True)
class Basis:
    """How the residual streams of two models relate, from the embeddings of the tokens that both have, else from what reads the stream.

    Attributes:
        change: `none`: the same basis; `permutation`: its directions are reordered, some perhaps with the other sign; `rotation`:
            turned; `unknown`: the embeddings do not tell (they are unrelated, of different width or not there).
        moved: Directions that a permutation moves.
        flipped: Directions whose sign it changes.
        agreement: Median correlation between E_A U and E_B over all singular directions, on tokens that U was not fitted on; 1 is a
            perfect copy. Where the embeddings are alike as they stand, their cosine.
        ln_p: ln of a bound on the probability of so much agreement of U with some signed permutation, ln d! + d ln 2 - s^2 / 2, if U
            were Haar distributed (conditional on that: see `lineage.deep.basis`); at most 0. Not for rotations.
        tokens: Rows that U was fitted on; 0 if it is from Gram matrices of readers. `agreement` then is of signs (`deep.gram`), and
            U and -U are the same.
    """

    change: Change
    moved: int
    flipped: int
    agreement: float
    ln_p: float
    tokens: int


@dataclass(frozen=True, slots=True)
class BlockMatch:
    """One block after the disguise is undone.

    Attributes:
        layer: Block of the first model.
        other_layer: Block of the second.
        neurons: Share of the smaller block's neurons that have a partner (each other's nearest reader); 0 if not looked for.
        neuron_counts: Neurons of the first and of the second.
        neurons_moved: Share of the matched ones that stand in another order.
        heads: Share of the smaller block's attention heads that have a partner.
        head_counts: Query heads of the first and of the second; 0 where not known.
        heads_moved: Share of the matched ones that stand in another order.
        cosines: (role, median |cosine|) between the rows of readers and the columns of writers, over at most 512 of each, folded and
            in the recovered basis and order. Scales and signs do not matter to it.
        operators: (QK or VO, median cosine) between matched heads, which no change of basis inside a head moves.
    """

    layer: int
    other_layer: int
    neurons: float
    neuron_counts: tuple[int, int]
    neurons_moved: float
    heads: float
    head_counts: tuple[int, int]
    heads_moved: float
    cosines: tuple[tuple[str, float], ...]
    operators: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was undone, and how alike the models are then.

    Attributes:
        basis: The change of the residual basis.
        blocks: The blocks that were unrelated as they stand.
        roles: (role, median over blocks of the median |cosine|) with the disguise undone.
        disguises: In words: `hidden permutation`, `rotation`, `neuron permutation`, `head permutation`, `basis change inside
            heads`, and in how many neurons or heads the first has `fewer` or `more`.
    """

    basis: Basis
    blocks: tuple[BlockMatch, ...]
    roles: tuple[tuple[str, float], ...]
    disguises: tuple[str, ...]
