"""What a fingerprint reads of a model: everything, or a sample planned from headers alone.

A sample grows in steps while a verdict is open (`api.quick`). The first rows of a few matrices decide for a model that is not disguised,
whatever its size (`signals.sample`); the attention of whole blocks, for one whose heads, neurons or residual stream were rearranged.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tensorguard.fingerprint.questions import LANGUAGE
from tensorguard.signals.sample import SAMPLED, sample_rows
from tensorguard.tensors.storage import StoredTensor
from tensorguard.tensors.view import View
from tensorguard.tensors.weight import Weight

FIRST_BLOCKS = 4
"""Blocks of which the first sample has rows."""

WHOLE_BLOCKS = (1, 3, 9, 27)
"""Blocks whose attention is read, step by step, as far as the budget allows; each step's are among the next one's (`_spread`)."""

LOOKS = 2 + len(WHOLE_BLOCKS)
"""How often an answer is looked at while a sample grows, at most: what every p-value pays for."""

BUDGET = 0.03
"""Share of a model's numbers that a sample may hold."""

SMALL = 4 * 2**20
"""Numbers that it may hold in any case: 8 MB of 16 bits."""

Block = tuple[str, int]
"""(stack, layer)."""

_ATTENTION = frozenset({"q", "k", "v", "o", "q_a", "q_b", "kv_a", "kv_b", "ssm_in", "ssm_b", "ssm_c", "ssm_out"})
"""Roles that make QK and VO, of attention, latent attention and state spaces."""
_DEAR = 2**20
"""Numbers from which on reading the first rows is dear: where a matrix is stored by columns, or packed, all of it is read for them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read.

    Attributes:
        rows: Indices into `View.weights` of matrices whose first rows are read.
        whole: Indices of matrices that are read whole.
        blocks: (stack, layer) of blocks whose norms are read, to be folded; those outside blocks always are.
        elements: How many numbers that is, of matrices.
        words: Whether the vocabulary is read, to find the anchor words.
    """

    rows: frozenset[int]
    whole: frozenset[int]
    blocks: frozenset[Block]
    elements: int
    words: bool = True

    def norms(self, view: View) -> View:
        """Return a view with the vectors alone that are read."""
        return replace(view, vectors=tuple(v for v in view.vectors if v.layer is None or (v.stack, v.layer) in self.blocks))


def kept(view: View) -> Plan:
    """Return the plan of a sample that is kept to be compared with others: rows of all blocks, and one block's attention.

    By rows those that are not disguised are known, by attention those that are.
    """
    blocks = _blocks(view.weights)
    return _plan(view.weights, blocks, _spread(blocks, WHOLE_BLOCKS[0]))


def growing(view: View) -> Iterator[Plan]:
    """Yield plans, each more than the one before: rows of a few blocks, of all, then whole attention of more and more blocks.

    Ends where the next would take more than `BUDGET` of the model's numbers.
    """
    blocks = _blocks(view.weights)
    limit = max(SMALL, int(BUDGET * view.parameters))
    first = _spread(blocks, FIRST_BLOCKS)
    plans = [_plan(view.weights, first, (), words=False)]
    if len(first) < len(blocks):
        plans.append(_plan(view.weights, blocks, ()))
    rows = [plan for plan in plans if 0 < plan.elements <= limit]
    yield from rows
    sampled = blocks if rows and rows[-1].words else first if rows else ()
    for count in WHOLE_BLOCKS:
        plan = _plan(view.weights, sampled, _spread(blocks, count))
        if plan.elements > limit:
            return
        yield plan
        if count >= len(blocks):
            return


def _plan(weights: Sequence[Weight], sampled: Sequence[Block], attended: Sequence[Block], *, words: bool = True) -> Plan:
    inside: dict[Block | None, list[int]] = defaultdict(list)
    for index, weight in enumerate(weights):
        inside[_block(weight)].append(index)
    whole = frozenset(i for block in attended for i in inside[block] if weights[i].role in _ATTENTION)
    rows = frozenset(i for block in sampled for i in _cheap(weights, inside[block])) - whole
    elements = sum(_cost(weights[i]) for i in rows) + sum(weights[i].shape[0] * weights[i].shape[1] for i in whole)
    return Plan(rows, whole, frozenset([*attended, *sampled[:1]]), elements, words)


def _cheap(weights: Sequence[Weight], inside: Sequence[int]) -> list[int]:
    """Return those matrices of a block whose first rows cost little to read, or the cheapest."""
    there = [i for i in inside if weights[i].role in SAMPLED and weights[i].expert is None]
    cheap = [i for i in there if _cost(weights[i]) <= _DEAR]
    return cheap or sorted(there, key=lambda i: (_cost(weights[i]), i))[:1]


def _cost(weight: Weight) -> int:
    """Return how many numbers are read for a matrix's first rows."""
    rows, columns = weight.shape
    stored = weight.stored
    in_rows = isinstance(stored, StoredTensor) and not (weight.transposed or stored.info.transposed)
    return min(rows, sample_rows(columns)) * columns if in_rows else rows * columns


def _blocks(weights: Sequence[Weight]) -> tuple[Block, ...]:
    """Return the blocks of the language model that have row samples or attention, in order."""
    return tuple(
        dict.fromkeys(block for w in weights if w.role in SAMPLED | _ATTENTION and (block := _block(w)) and w.stack in LANGUAGE)
    )


def _block(weight: Weight) -> Block | None:
    return None if weight.layer is None else (weight.stack, weight.layer)


def _spread(blocks: Sequence[Block], count: int) -> tuple[Block, ...]:
    """Return so many blocks, evenly spread: each in the middle of its share."""
    if count >= len(blocks):
        return tuple(blocks)
    return tuple(blocks[(2 * i + 1) * len(blocks) // (2 * count)] for i in range(count))
