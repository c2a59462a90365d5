"""Which matrices of unknown role are gate, up and down of one block, or fc_in and fc_out."""

from collections.abc import Sequence

import numpy as np

from tensorguard.tensors.coupling import Scores, Side, closeness, couplings
from tensorguard.tensors.matching import EVIDENT, Block, Matched, Sides, assigned, between, evident, inner_size, paired
from tensorguard.tensors.series import Series


def match_ffn(found: Sequence[Series], width: int) -> Matched | None:
    """Find which matrices make a block.

    Args:
        found: Feed-forward matrices. A few strays of their shape (positions) may be among them.
        width: Of the residual stream.

    Returns:
        Sets {gate, up, down}, {gate_up, down}, or {fc_in, fc_out} taken as stored out x in; None if they are not evident.
    """
    inner = sorted({inner_size(each, width) for each in found})
    reading, writing = ([each for each in found if each.shape[axis] == width] for axis in (1, 0))
    transposed = len(reading) < len(writing)
    if not reading or not writing:
        return None
    if len(inner) == 2 and inner[1] == 2 * inner[0]:
        return _fused(found, width, inner[0])
    if len(inner) != 1:
        return None
    if len(found) == 2:
        return Matched([{"fc_in": reading[0], "fc_out": writing[0]}], transposed=False)
    if max(len(reading), len(writing)) < 2 * min(len(reading), len(writing)):
        pairs, score = _coupled(reading, writing, inner[0])
        plain: list[Block] = [{"fc_in": reading[i], "fc_out": writing[j]} for i, j in pairs]
        return Matched(plain, transposed=False) if evident(score, pairs) else None
    return (
        _gated(writing, reading, inner[0], transposed=True)
        if transposed
        else _gated(reading, writing, inner[0], transposed=False)
    )


def _gated(reading: list[Series], writing: list[Series], neurons: int, *, transposed: bool) -> Matched | None:
    """Neurons of a gate and an up are close, whatever their signs; up shares the signs with down, the gate with neither."""
    inputs: Sides = [[Side(s, not transposed, neurons) for s in each.sampled()] for each in reading]
    outputs: Sides = [[Side(s, transposed, neurons) for s in each.sampled()] for each in writing]
    pairs = paired(_sharpened(between(inputs, inputs, closeness)))[: len(writing)]
    score = between(outputs, inputs, couplings)
    one, other = (score[:, [pair[end] for pair in pairs]] for end in (0, 1))
    either = np.maximum(one, other)
    chosen = assigned(either)
    if not evident(either, chosen) or np.mean([abs(one[c] - other[c]) for c in chosen]) < EVIDENT:
        return None
    blocks: list[Block] = []
    for down, pair in chosen:
        up, gate = pairs[pair] if one[down, pair] > other[down, pair] else pairs[pair][::-1]
        blocks.append({"gate": reading[gate], "up": reading[up], "down": writing[down]})
    return Matched(blocks, transposed)


def _fused(found: Sequence[Series], width: int, neurons: int) -> Matched | None:
    fused = [each for each in found if inner_size(each, width) == 2 * neurons]
    writing = [each for each in found if inner_size(each, width) == neurons]
    transposed = fused[0].shape[0] == width
    if len(fused) != len(writing) or len({each.shape for each in found}) != 2:
        return None
    outputs: Sides = [[Side(s, transposed, neurons) for s in each.sampled()] for each in writing]
    halves = [
        between(outputs, [[Side(s, not transposed, neurons, first) for s in each.sampled()] for each in fused], couplings)
        for first in (0, neurons)
    ]
    pairs, score = max(((assigned(half), half) for half in halves), key=lambda each: float(sum(each[1][p] for p in each[0])))
    first, second = (sum(half[p] for p in pairs) for half in halves)
    if not evident(score, pairs) or abs(first - second) < EVIDENT * len(pairs):
        return None
    return Matched([{"gate_up": fused[j], "down": writing[i]} for i, j in pairs], transposed, swapped=first > second)


def _coupled(reading: list[Series], writing: list[Series], neurons: int) -> tuple[list[tuple[int, int]], Scores]:
    score = between(
        [[Side(s, True, neurons) for s in each.sampled()] for each in reading],
        [[Side(s, False, neurons) for s in each.sampled()] for each in writing],
        couplings,
    )
    return assigned(score), score


def _sharpened(score: Scores) -> Scores:
    """Take out of a symmetric similarity what each member has in common with all others, on a logarithmic scale."""
    logarithm = np.log(np.maximum(score, 1e-30))
    np.fill_diagonal(logarithm, 0)
    common = logarithm.sum(0) / max(len(score) - 1, 1)
    rest: Scores = logarithm - common - common[:, None]
    return rest
