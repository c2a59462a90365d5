"""Which matrices of unknown role share units: pairs of q and k, of v and o; triples of gate, up and down."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from tensorguard.tensors.coupling import Faces, Scores, Side, closeness, couplings, faces, shared_stream
from tensorguard.tensors.series import Series

_EVIDENT = 40.0
"""Mean coupling beyond chance that shows matches to be real: chance gives one as much with probability 1e-9."""
_LIKELY_HEADS = (128, 64, 256, 96, 80, 192, 112, 48, 40, 32, 24, 16)

Block = dict[str, Series]
"""Role -> series."""
_Sides = Sequence[Sequence[Side]]
_Measure = Callable[[Faces, Faces], Scores]


@dataclass(frozen=True, slots=True)
class Matched:
    """Matrices that share units.

    Attributes:
        blocks: Roles of each set.
        transposed: Whether all are stored as in x out.
    """

    blocks: list[Block]
    transposed: bool


def match_ffn(found: Sequence[Series], width: int) -> Matched | None:
    """Find which gate, up and down make a block, or which fc_in and fc_out.

    Neurons of a gate and an up are close in direction, whatever their signs; up shares the signs with down, the gate with neither.

    Args:
        found: Feed-forward matrices, all of one inner size. A few strays of their shape (positions) may be among them.
        width: Of the residual stream.

    Returns:
        Sets {gate, up, down}, or {fc_in, fc_out} taken as stored out x in; None if they are not evident.
    """
    inner = {_inner(each, width) for each in found}
    reading, writing = ([each for each in found if each.shape[axis] == width] for axis in (1, 0))
    transposed = len(reading) < len(writing)
    if transposed:
        reading, writing = writing, reading
    if len(inner) != 1 or not writing:
        return None
    if len(found) == 2:
        return Matched([{"fc_in": reading[0], "fc_out": writing[0]}], False)
    neurons = inner.pop()
    inputs = [[Side(s, not transposed, neurons) for s in each.sampled()] for each in reading]
    outputs = [[Side(s, transposed, neurons) for s in each.sampled()] for each in writing]
    score = _between(outputs, inputs, couplings)
    if len(reading) < 2 * len(writing):
        chosen = linear_sum_assignment(-score)
        names = ("fc_out", "fc_in") if not transposed else ("fc_in", "fc_out")
        plain = [dict(zip(names, (writing[i], reading[j]), strict=True)) for i, j in zip(*chosen, strict=True)]
        return Matched(plain, False) if score[chosen].mean() > _EVIDENT else None
    near = _sharpened(_between(inputs, inputs, closeness))
    pairs = _paired(near)[: len(writing)]
    either = np.stack([score[:, list(pair)].max(1) for pair in pairs], axis=1)
    downs, chosen_pairs = linear_sum_assignment(-either)
    if either[downs, chosen_pairs].mean() < _EVIDENT:
        return None
    blocks: list[Block] = []
    for down, pair in zip(downs, chosen_pairs, strict=True):
        up, gate = sorted(pairs[pair], key=lambda j: -score[down, j])
        blocks.append({"gate": reading[gate], "up": reading[up], "down": writing[down]})
    return Matched(blocks, transposed)


def match_fused(found: Sequence[Series], width: int) -> Matched | None:
    """Find which fused qkv and o make a block, by the values at the end of the one.

    Args:
        found: Attention matrices, as many of one shape as of another; no grouped queries.
        width: Of the residual stream.

    Returns:
        Sets {qkv, o}; None if they are not evident.
    """
    shapes = sorted({each.shape for each in found}, key=max)
    if len(shapes) != 2:
        return None
    outputs, fused = ([each for each in found if each.shape == shape] for shape in shapes)
    transposed = shapes[1] == (width, 3 * width)
    if len(fused) != len(outputs) or shapes[0] != (width, width) or not (transposed or shapes[1] == (3 * width, width)):
        return None
    score = _between(
        [[Side(s, not transposed, width, 2 * width) for s in each.sampled()] for each in fused],
        [[Side(s, transposed, width) for s in each.sampled()] for each in outputs],
        couplings,
    )
    chosen = linear_sum_assignment(-score)
    if score[chosen].mean() < _EVIDENT:
        return None
    return Matched([{"qkv": fused[i], "o": outputs[j]} for i, j in zip(*chosen, strict=True)], transposed)


def match_attention(
    found: Sequence[Series], reference: Sequence[Series], width: int, head: Callable[[int], int | None], blocks: int
) -> Matched | None:
    """Pair v with o and q with k.

    v and o share value dimensions, along the outputs of one and the inputs of the other; q and k share rotary dimensions, along the
    outputs of both. Which side of a square matrix faces the residual stream is told by what other matrices share with it there.

    Args:
        found: Attention matrices of two sizes at most, the smaller one that of k and v.
        reference: Matrices that read the stream and are not square.
        width: Of the residual stream.
        head: Tells rows of a head from the rows of q, or None.
        blocks: How many sets there are. A few strays (poolers) may be among `found`.

    Returns:
        Sets {v, o} and {q, k}; None if they are not evident. Where q and k have one shape, which of them is which stays open.
    """
    sizes = {_inner(each, width) for each in found}
    few, many = min(sizes), max(sizes)
    if not 4 * blocks <= len(found) <= 4 * blocks + 2 or sizes != {few, many} or many % few:
        return None
    leaning = _leaning(found, reference, width)
    transposed = 2 * sum(lean > 0 for lean in leaning) < len(found)
    ranked = sorted(range(len(found)), key=lambda i: leaning[i] if not transposed else -leaning[i])
    writers, readers = ([found[i] for i in part] for part in (ranked[:blocks], ranked[blocks:]))
    if any(_inner(each, width) != many for each in writers):
        return None
    known = head(many)
    heads = [known] if known and few % known == 0 else [h for h in _LIKELY_HEADS if few % h == 0] or [few]
    tried = (_pairs(readers, writers, (few, many, rows), not transposed, blocks) for rows in (heads if many > few else [1]))
    strength, pairs = max(tried, key=lambda each: each[0])
    return Matched(pairs, transposed) if strength > _EVIDENT and len(pairs) == 2 * blocks else None


def _leaning(found: Sequence[Series], reference: Sequence[Series], width: int) -> list[float]:
    """Say of each matrix how much more its columns face the residual stream than its rows; infinite where the shape decides."""
    theirs = [[Side(s, each.shape[1] != width, width) for s in each.sampled()] for each in reference]
    squares = [each for each in found if each.shape == (width, width)]
    rows, columns = (
        _between([[Side(s, by_rows, width) for s in each.sampled()] for each in squares], theirs, shared_stream).sum(1)
        for by_rows in (True, False)
    )
    chance = sum(map(len, theirs))
    leaning = np.log((np.maximum(columns, 0) + chance) / (np.maximum(rows, 0) + chance))
    told = dict(zip(map(id, squares), leaning, strict=True))
    return [float(told.get(id(each), np.inf if each.shape[1] == width else -np.inf)) for each in found]


def _pairs(
    readers: list[Series], writers: list[Series], sizes: tuple[int, int, int], rows: bool, blocks: int
) -> tuple[float, list[Block]]:
    """Return the mean coupling of the best pairs for one number of rows per head, and the pairs."""
    few, many, head = sizes
    small = [each for each in readers if each.shape[not rows] == few]
    large = [each for each in readers if each.shape[not rows] == many]

    def sides(members: list[Series], outputs: bool) -> _Sides:
        share = [each.shape[outputs != rows] // few for each in members]
        return [[Side(s, outputs == rows, few, 0, n, head) for s in each.sampled()] for each, n in zip(members, share, strict=True)]

    score = _between(sides(writers, False), sides(small, True), couplings)
    chosen = sorted(zip(*linear_sum_assignment(-score), strict=True), key=lambda pair: -score[pair])[:blocks]
    values = {j for _, j in chosen}
    found: list[Block] = [{"v": small[j], "o": writers[i]} for i, j in chosen]
    strength = [score[pair] for pair in chosen]
    keys = [each for j, each in enumerate(small) if j not in values]
    if many == few:
        score = _between(sides(keys, True), sides(keys, True), couplings)
        matched = _paired(score)[:blocks]
        found += [{"q": keys[i], "k": keys[j]} for i, j in matched]
    else:
        score = _between(sides(keys, True), sides(large, True), couplings)
        matched = list(zip(*linear_sum_assignment(-score), strict=True))
        found += [{"q": large[j], "k": keys[i]} for i, j in matched]
    strength += [score[pair] for pair in matched]
    return float(np.mean(strength)), found


def _between(first: _Sides, second: _Sides, measure: _Measure) -> Scores:
    """Add up a measure over the sampled layers of two lists of series."""
    score = np.zeros((len(first), len(second)))
    if score.size:
        among = len(first) + len(second)
        for layer in range(len(first[0])):
            score += measure(*(faces([sides[layer] for sides in each], among) for each in (first, second)))
    return score


def _paired(score: Scores) -> list[tuple[int, int]]:
    """Pair the members of one list, the highest scores first."""
    left, pairs = set(range(len(score))), list[tuple[int, int]]()
    for i, j in sorted(zip(*np.tril_indices(len(score), -1), strict=True), key=lambda pair: -score[pair]):
        if i in left and j in left:
            left -= {i, j}
            pairs.append((int(i), int(j)))
    return pairs


def _sharpened(score: Scores) -> Scores:
    """Take out of a symmetric similarity what each member has in common with all others, on a logarithmic scale."""
    logarithm = np.log(np.maximum(score, 1e-30))
    np.fill_diagonal(logarithm, 0)
    common = logarithm.sum(0) / max(len(score) - 1, 1)
    rest: Scores = logarithm - common - common[:, None]
    return rest


def _inner(each: Series, width: int) -> int:
    """Return the size that is not the residual stream's."""
    rows, columns = each.shape
    return rows if columns == width else columns
