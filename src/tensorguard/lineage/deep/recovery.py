"""Undo what hides a copy: the order of neurons and heads, the basis of the residual stream; then compare again."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

from tensorguard.engines.base import Engine
from tensorguard.lineage.deep.basis import AGREES, Embeddings, describe, recover_basis
from tensorguard.lineage.deep.blocks import Block, BlockPair
from tensorguard.lineage.deep.gram import basis_of_readers
from tensorguard.lineage.deep.heads import HeadMatch, match_heads
from tensorguard.lineage.deep.neurons import COLUMNS, match_neurons
from tensorguard.lineage.deep.recovered import Basis, BlockMatch, Recovery
from tensorguard.lineage.deep.tiles import Question, answer
from tensorguard.lineage.deep.verify import Partners, chosen, median_cosine
from tensorguard.probes.rademacher import Key, signs
from tensorguard.progress import Progress
from tensorguard.tensors.base import Float32

_ALIKE = 0.3
"""Least median |cosine| of matrices that the match was not made on; unrelated ones reach 0.1 at width 64 and less above."""

_MATCHED = 0.1
"""Least share of neurons that a match has to find; chance finds one in a hundred."""

_MOVED = 0.05
_INSIDE = {"QK": ("q", "k"), "VO": ("v", "o")}
_INSIDE_GAP = 0.2


def recover(
    embeddings: Embeddings | None,
    plain: float,
    blocks: Sequence[BlockPair],
    *,
    engine: Engine,
    progress: Progress,
    key: Key,
) -> Recovery:
    """Find what makes blocks look unrelated that are not.

    Each block is read twice: for sketches that neurons and heads are matched on, and for the values of at most 512 rows or columns of
    each matrix, which the cosines reported are of.

    Args:
        embeddings: The embeddings of both models; None without.
        plain: Their cosine as they stand.
        blocks: The blocks that look unrelated.
        engine: Runs the tasks.
        progress: Hears of blocks under the task name `recover`.
        key: Whose probes sketch.

    Raises:
        InputError: A tensor cannot be read or decoded.
    """
    basis, U = Basis("unknown", 0, 0, plain, 0.0, 0), None
    if plain > AGREES:
        basis = Basis("none", 0, 0, plain, 0.0, 0)
    elif embeddings is not None:
        basis, U = next(iter(engine.map(recover_basis, [embeddings])))
    if basis.change == "unknown" and blocks:
        turned, agreement = basis_of_readers(blocks, engine)
        if turned is not None and agreement > AGREES:
            basis, U = describe(turned, agreement, 0)
    progress.start("recover", len(blocks), "blocks")
    try:
        partners = [_partners(pair, found) for pair, found in _asked(blocks, U, engine, key)]
        matches = [_block(pair, each, values, progress) for pair, each, values in _values(blocks, partners, U, engine)]
    finally:
        progress.finish("recover")
    roles = dict.fromkeys(role for match in matches for role, _ in match.cosines)
    alike = tuple((role, median(c for match in matches for r, c in match.cosines if r == role)) for role in roles)
    return Recovery(basis, tuple(matches), alike, _disguises(basis, matches, dict(alike)))


_Responses = dict[str, tuple[Float32, Float32]]


def _asked(blocks: Sequence[BlockPair], U: Float32 | None, engine: Engine, key: Key) -> Iterator[tuple[BlockPair, _Responses]]:
    """Yield the responses of both blocks of each pair, by role, to the same probes, each in its own basis."""
    questions = []
    for pair in blocks:
        X = signs(key.words("deep/probes", pair.width), 0, COLUMNS)
        ours = X if U is None else U @ X
        for role in pair.roles:
            questions += [_question(pair.first, role, probes=ours), _question(pair.second, role, probes=X)]
    answers = engine.map(answer, questions)
    for pair in blocks:
        yield pair, {role: (next(answers), next(answers)) for role in pair.roles}


def _partners(pair: BlockPair, found: _Responses) -> Partners:
    reader = "gate" if "gate" in found else "fc_in"
    neurons, counts = np.zeros(0, np.int64), (0, 0)
    if reader in found:
        neurons, counts = match_neurons(*found[reader]), (len(found[reader][0]), len(found[reader][1]))
    heads: HeadMatch | None = None
    if pair.head and {"q", "k", "v", "o"} <= found.keys():
        first, second = (tuple(found[role][side] for role in ("q", "k", "v", "o")) for side in (0, 1))
        heads = match_heads((first[0], first[1], first[2], first[3]), (second[0], second[1], second[2], second[3]), pair.head)
    return Partners(neurons, counts, heads)


def _values(
    blocks: Sequence[BlockPair], partners: Sequence[Partners], U: Float32 | None, engine: Engine
) -> Iterator[tuple[BlockPair, Partners, dict[str, float]]]:
    """Yield the median |cosine| of each role of each pair of blocks."""
    wanted = [
        {role: index for role in pair.roles if len((index := chosen(role, pair, each))[0])}
        for pair, each in zip(blocks, partners, strict=True)
    ]
    questions = []
    for pair, roles in zip(blocks, wanted, strict=True):
        for role, (ours, theirs) in roles.items():
            questions += [_question(pair.first, role, chosen=ours), _question(pair.second, role, chosen=theirs)]
    answers = engine.map(answer, questions)
    for pair, each, roles in zip(blocks, partners, wanted, strict=True):
        yield pair, each, {role: median_cosine(next(answers), next(answers), U) for role in roles}


def _question(block: Block, role: str, *, probes: Float32 | None = None, chosen: NDArray[np.int64] | None = None) -> Question:
    return Question(block.weights[role], block.foldings[role], role in ("o", "down", "fc_out"), probes, chosen)


def _block(pair: BlockPair, partners: Partners, cosines: dict[str, float], progress: Progress) -> BlockMatch:
    progress.advance("recover", 1)
    heads = partners.heads
    queries = np.zeros(0, np.int64) if heads is None else heads.queries
    return BlockMatch(
        layer=pair.first.layer,
        other_layer=pair.second.layer,
        neurons=partners.share,
        neuron_counts=partners.neuron_counts,
        neurons_moved=_moved(partners.neurons),
        heads=0.0 if heads is None else heads.share,
        head_counts=(0, 0) if heads is None else heads.counts,
        heads_moved=_moved(queries),
        cosines=tuple(cosines.items()),
        operators=() if heads is None else (("QK", heads.query_key), ("VO", heads.value_output)),
    )


def _disguises(basis: Basis, matches: Sequence[BlockMatch], alike: dict[str, float]) -> tuple[str, ...]:
    found = []
    if basis.change == "permutation":
        found.append("hidden permutation with sign changes" if basis.flipped else "hidden permutation")
    elif basis.change == "rotation":
        found.append("rotation")
    neurons = max((alike.get(role, 0.0) for role in ("up", "down", "fc_out")), default=0.0) > _ALIKE
    neurons &= _typical(match.neurons for match in matches) > _MATCHED
    if neurons and _typical(match.neurons_moved for match in matches) > _MOVED:
        found.append("neuron permutation")
    found += _counted("neurons", [match.neuron_counts for match in matches] if neurons else [])
    operators = {name: _typical(dict(match.operators).get(name, 0.0) for match in matches) for name in ("QK", "VO")}
    heads = max(operators.values()) > AGREES
    if heads and _typical(match.heads_moved for match in matches) > _MOVED:
        found.append("head permutation")
    found += _counted("heads", [match.head_counts for match in matches] if heads else [])
    within = {name: max(alike.get(role, 0.0) for role in roles) for name, roles in _INSIDE.items()}
    if any(operators[name] > AGREES and within[name] < operators[name] - _INSIDE_GAP for name in _INSIDE):
        found.append("basis change inside heads")
    return tuple(found)


def _counted(what: str, counts: Sequence[tuple[int, int]]) -> list[str]:
    ours, theirs = (sum(count[side] for count in counts) for side in (0, 1))
    return [] if ours == theirs else [f"{'fewer' if ours < theirs else 'more'} {what}"]


def _typical(values: Iterable[float]) -> float:
    held = list(values)
    return median(held) if held else 0.0


def _moved(partners: NDArray[np.int64]) -> float:
    """Return the share of matched ones outside the longest run that keeps the order (patience sorting)."""
    matched = partners[partners >= 0].tolist()
    ends: list[int] = []
    for partner in matched:
        place = bisect_left(ends, partner)
        ends[place : place + 1] = [partner]
    return 1 - len(ends) / len(matched) if matched else 0.0
