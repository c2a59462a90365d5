"""Which matrices of unknown role are q, k, v and o of one block, or its fused qkv and o."""

from collections.abc import Callable, Sequence

import numpy as np

from tensorguard.tensors.coupling import Side, couplings, shared_stream
from tensorguard.tensors.matching import (
    EVIDENT,
    LIKELY_HEADS,
    Block,
    Matched,
    Sides,
    assigned,
    between,
    evident,
    inner_size,
    paired,
)
from tensorguard.tensors.series import Series

_Head = Callable[[int], int | None]
_Found = tuple[float, list[Block]]
"""Mean coupling, and pairs."""


def match_fused(found: Sequence[Series], width: int, head: _Head) -> Matched | None:
    """Find which fused qkv and o make a block, by the values at the end of the one.

    Args:
        found: Attention matrices, as many of one shape as of another: all of q, then all of k, then all of v, and o.
        width: Of the residual stream.
        head: Tells rows of a head from the rows of q, or None.

    Returns:
        Sets {qkv, o}; None if they are not evident.
    """
    shapes = sorted({each.shape for each in found}, key=lambda shape: max(shape))
    if len(shapes) != 2 or width not in shapes[1] or shapes[1][0] == shapes[1][1]:
        return None
    outputs, fused = ([each for each in found if each.shape == shape] for shape in shapes)
    transposed = shapes[1][0] == width
    rows, query = shapes[1][transposed], shapes[0][not transposed]
    value = (rows - query) // 2
    if len(fused) != len(outputs) or shapes[0][transposed] != width or value <= 0 or rows != query + 2 * value or query % value:
        return None
    best: tuple[float, list[Block]] | None = None
    for size in _head_sizes(value, query, head):
        score = between(
            [[Side(s, not transposed, value, rows - value, 1, size) for s in each.sampled()] for each in fused],
            [[Side(s, transposed, value, 0, query // value, size) for s in each.sampled()] for each in outputs],
            couplings,
        )
        pairs = assigned(score)
        strength = float(np.mean([score[pair] for pair in pairs]))
        if evident(score, pairs) and (best is None or strength > best[0]):
            best = strength, [{"qkv": fused[i], "o": outputs[j]} for i, j in pairs]
    return Matched(best[1], transposed) if best else None


def match_attention(
    found: Sequence[Series], reference: Sequence[Series], width: int, head: _Head, blocks: int
) -> Matched | None:
    """Pair v with o and q with k.

    v and o share value dimensions, along the outputs of one and the inputs of the other; q and k share rotary dimensions, along the
    outputs of both. Which side of a square matrix faces the residual stream is told by what other matrices share with it there.

    Args:
        found: Attention matrices of two sizes at most, the smaller one that of k and v.
        reference: Matrices on the stream that are not square.
        width: Of the residual stream.
        head: Tells rows of a head from the rows of q, or None.
        blocks: How many sets there are. A few strays (poolers) may be among `found`.

    Returns:
        Sets {v, o} and {q, k}; None if they are not evident. Where q and k have one shape, which of them is which stays open.
    """
    sizes = {inner_size(each, width) for each in found}
    few, many = min(sizes), max(sizes)
    if not 4 * blocks <= len(found) <= 4 * blocks + 2 or sizes != {few, many} or many % few:
        return None
    leaning = _leaning(found, reference, width)
    transposed = 2 * sum(lean > 0 for lean in leaning) < len(found)
    ranked = sorted(range(len(found)), key=lambda i: -leaning[i] if transposed else leaning[i])
    writers, readers = ([found[i] for i in part] for part in (ranked[:blocks], ranked[blocks:]))
    if any(inner_size(each, width) != many for each in writers):
        return None
    tried = (_pairs(readers, writers, (few, many, size), not transposed, blocks) for size in _head_sizes(few, many, head))
    best = max((pairs for pairs in tried if pairs), key=lambda each: each[0], default=None)
    return Matched(best[1], transposed) if best else None


def _head_sizes(few: int, many: int, head: _Head) -> Sequence[int]:
    """Return how many rows a head may have; of no account where no heads are shared."""
    if few == many:
        return [1]
    known = head(many)
    return [known] if known and few % known == 0 else [size for size in LIKELY_HEADS if few % size == 0] or [few]


def _leaning(found: Sequence[Series], reference: Sequence[Series], width: int) -> list[float]:
    """Say of each matrix how much more its columns face the residual stream than its rows; infinite where the shape decides."""
    theirs: Sides = [[Side(s, each.shape[1] != width, width) for s in each.sampled()] for each in reference]
    squares = [each for each in found if each.shape == (width, width)]
    rows, columns = (
        between([[Side(s, by_rows, width) for s in each.sampled()] for each in squares], theirs, shared_stream).sum(1)
        for by_rows in (True, False)
    )
    chance = sum(map(len, theirs))
    leaning = np.log((np.maximum(columns, 0) + chance) / (np.maximum(rows, 0) + chance))
    told = dict(zip(map(id, squares), leaning, strict=True))
    return [float(told.get(id(each), np.inf if each.shape[1] == width else -np.inf)) for each in found]


def _pairs(readers: list[Series], writers: list[Series], sizes: tuple[int, int, int], rows: bool, blocks: int) -> _Found | None:
    """Find the best pairs for one number of rows per head; None if they are not evident.

    Args:
        readers: q, k and v.
        writers: o.
        sizes: Outputs of k and v, of q, and of one head.
        rows: Whether outputs are rows.
        blocks: Pairs of either kind.
    """
    few, many, head = sizes
    small = [each for each in readers if each.shape[not rows] == few]
    large = [each for each in readers if each.shape[not rows] == many]

    def sides(members: list[Series], by_rows: bool) -> Sides:
        share = [each.shape[not by_rows] // few for each in members]
        return [[Side(s, by_rows, few, 0, n, head) for s in each.sampled()] for each, n in zip(members, share, strict=True)]

    score = between(sides(writers, not rows), sides(small, rows), couplings)
    chosen = sorted(assigned(score), key=lambda pair: -score[pair])[:blocks]
    keys = [each for j, each in enumerate(small) if j not in {j for _, j in chosen}]
    if len(chosen) < blocks or not evident(score, chosen):
        return None
    found: list[Block] = [{"v": small[j], "o": writers[i]} for i, j in chosen]
    strength = [float(score[pair]) for pair in chosen]
    if many == few:
        score = between(sides(keys, rows), sides(keys, rows), couplings)
        matched = paired(score)[:blocks]
        found += [{"q": keys[i], "k": keys[j]} for i, j in matched]
    else:
        score = between(sides(keys, rows), sides(large, rows), couplings)
        matched = assigned(score)
        found += [{"q": large[j], "k": keys[i]} for i, j in matched]
    strength += [float(score[pair]) for pair in matched]
    if len(matched) < blocks or np.mean(strength[blocks:]) < EVIDENT:
        return None
    return float(np.mean(strength)), found
