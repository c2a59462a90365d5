"""Which vectors are the gains of norms, and which matrices read through them, told from the weights.

A gain and the column that reads through it are a product, so training leaves the difference of their squares alone: where a gain grew,
so did the norms of the columns that read it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tensorguard.tensors.base import Float32
from tensorguard.tensors.matching import Block
from tensorguard.tensors.placing import Placed
from tensorguard.tensors.series import Series

_POSITIVE = 0.9
"""Share of positive numbers among those of gains; biases have half."""
_EVIDENT = 4.0
"""Standard errors."""
_ROWS = 512


def tell_norms(vectors: Sequence[Series], block: Block, width: int, transposed: Mapping[str, bool]) -> dict[int, Placed]:
    """Find the two norms of each block and the final one.

    Args:
        vectors: Vectors by their names' skeletons.
        block: Roles of the matrices, by the same numbers as the vectors of a block.
        width: Of the residual stream.
        transposed: Role -> whether it is stored as in x out.

    Returns:
        id of a vector -> its place; empty where there are not two gains to a block, or it is not evident which is whose.

    Raises:
        InputError: The bytes of a vector or matrix cannot be read.
    """
    reads = [
        [role for role in roles if role in block] for roles in (("q", "k", "v", "qkv"), ("gate", "up", "gate_up", "fc_in"))
    ]
    if not all(reads):
        return {}
    numbers = block[reads[0][0]].numbers
    if any(block[role].numbers != numbers for roles in reads for role in roles):
        return {}
    layers = [member.layer for member in block[reads[0][0]].members]
    streams = [each for each in vectors if each.shape == (width,)]
    inside = [each for each in streams if each.numbers == numbers and _positive(each)]
    outside = [each for each in streams if len(each.members) == 1 and each.numbers != numbers and _positive(each)]
    if len(inside) != 2 or len(outside) != 1:
        return {}
    evidence = _evidence(
        inside, [[block[role] for role in roles] for roles in reads], [transposed[roles[0]] for roles in reads]
    )
    if evidence is not None and abs(evidence) < _EVIDENT:
        return {}
    first, second = inside if evidence is None or evidence > 0 else inside[::-1]
    told: dict[int, Placed] = {}
    for gain, part in ((first, "attention_in"), (second, "ffn_in"), (outside[0], "final")):
        where = [None] if part == "final" else layers
        bias = [
            each for each in streams if each is not gain and _parent(each) == _parent(gain) and each.numbers == gain.numbers
        ]
        for role, found in (("norm", [gain]), ("bias", bias if len(bias) == 1 else [])):
            for each in found:
                for member, layer in zip(each.members, where, strict=True):
                    told[id(member)] = replace(member, role=role, part=part, layer=layer)
    return told


def _evidence(gains: Sequence[Series], readers: Sequence[Sequence[Series]], transposed: Sequence[bool]) -> float | None:
    """Return how many standard errors speak for the given order rather than the other; None where all gains are constant."""
    total, layers = 0.0, 0
    samples = [each.sampled() for each in gains]
    matrices = [[each.sampled() for each in members] for members in readers]
    for index, pair in enumerate(zip(*samples, strict=True)):
        contrast = np.subtract(*(np.log(np.abs(g.read(slice(0, 1), slice(0, g.shape[0]))[0]) + 1e-6) for g in pair))
        norms = (
            _columns(
                [
                    each[index].read(slice(0, min(_ROWS, each[index].shape[0])), slice(0, each[index].shape[1]))
                    if not turned
                    else each[index].read(slice(0, each[index].shape[0]), slice(0, each[index].shape[1]))[:, :_ROWS].T
                    for each in members
                ]
            )
            for members, turned in zip(matrices, transposed, strict=True)
        )
        other = np.subtract(*norms)
        if contrast.std() > 1e-6:
            total += float(np.corrcoef(contrast, other)[0, 1]) * np.sqrt(len(other))
            layers += 1
    return total / np.sqrt(layers) if layers else None


def _columns(parts: Sequence[Float32]) -> Float32:
    norms: Float32 = np.log(np.linalg.norm(np.nan_to_num(np.vstack(parts)), axis=0) + 1e-12)
    return norms


def _positive(each: Series) -> bool:
    values = np.concatenate([s.read(slice(0, 1), slice(0, s.shape[0]))[0] for s in each.sampled()])
    return bool((values > 0).mean() >= _POSITIVE)


def _parent(each: Series) -> str:
    return each.skeleton.rpartition(".")[0]
