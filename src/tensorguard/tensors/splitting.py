"""Placed tensors to weights: fused ones are cut, stacked experts taken apart, transposed ones turned, rotary rows put back.

Where every cut lies follows from the shapes, and from o's input width (all of q's rows); only rows that alternate head by head need the
head dimension of the configuration, and stay fused (`qkv`) without it.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from tensorguard.limits import MAX_EXPERTS
from tensorguard.tensors.base import extent
from tensorguard.tensors.heads import Heads
from tensorguard.tensors.placing import Placed, matrix_shape
from tensorguard.tensors.weight import RowOrder, Weight

_Cut = tuple[str, int, RowOrder]


class NotAMatrixError(ValueError):
    """The tensor's dimensions do not make a matrix, or a stack of them, of its role."""


def settle_gating(placed: Sequence[Placed]) -> list[Placed]:
    """Rename `up` and `down` to `fc_in` and `fc_out` where a block has no gate, or `up` to `gate_up` where it is twice as wide.

    GGUF calls all three cases `ffn_up`; T5 calls `wo` what closes both kinds of block.
    """
    gated = {(p.stack, p.layer) for p in placed if p.role in ("gate", "gate_up")}
    inner = {(p.stack, p.layer, p.expert): shape[1] for p in placed if p.role == "down" and (shape := _shape(p))}
    doubled = {
        (p.stack, p.layer)
        for p in placed
        if p.role == "up" and (shape := _shape(p)) and shape[0] == 2 * inner.get((p.stack, p.layer, p.expert), 0)
    } - gated
    settled = []
    for p in placed:
        names = {"up": "gate_up"} if (p.stack, p.layer) in doubled else {"up": "fc_in", "down": "fc_out"}
        if (p.stack, p.layer) in gated:
            names = {}
        settled.append(replace(p, role=names.get(p.role, p.role), part=names.get(p.part, p.part)))
    return settled


def split(
    placed: Sequence[Placed], heads: Heads, kernels: Mapping[tuple[str, int | None], int] = MappingProxyType({})
) -> tuple[list[Weight], set[str]]:
    """Turn placed matrices into weights.

    Args:
        placed: Matrices only; `settle_gating` done.
        heads: Checked hints.
        kernels: (stack, layer) -> channels of the convolution there.

    Returns:
        The weights, in no order, and the notices about what could not be put right.

    Raises:
        NotAMatrixError: A shape is none that `is_matrix` accepts.
    """
    widths: dict[tuple[str, int | None], dict[str, int]] = defaultdict(dict)
    for p in placed:
        shape = _shape(p)
        if shape is not None and p.role in ("q", "o", "ssm_out"):
            widths[p.stack, p.layer][p.role] = shape[0 if p.role == "q" else 1]
    weights: list[Weight] = []
    notices: set[str] = set()
    for p in placed:
        around = widths[p.stack, p.layer] | {"conv": kernels.get((p.stack, p.layer), 0)}
        shape = _shape(p)
        if shape is None:
            raise NotAMatrixError(p.stored.name)
        cuts = _cuts(p, shape, around, heads)
        if not cuts:
            cuts = [(p.role, shape[0], RowOrder())]
            notices.add(_UNSPLIT if p.role in ("qkv", "gate_up", "ssm_in") else _ROTARY)
        for role, rows, order in cuts:
            weights.extend(_experts(p, role, (rows, shape[1]), order))
    return weights, notices


_UNSPLIT = "a fused matrix could not be split (its shape and the configuration's head counts do not agree); it is kept whole"
_ROTARY = "rotary rows are left interleaved: the configuration gives no head count that fits the shapes"


def is_matrix(p: Placed) -> bool:
    """Say whether a placed tensor's dimensions make a matrix, or a stack of at most `MAX_EXPERTS` expert matrices."""
    return _shape(p) is not None and (len(p.stored.shape) != 3 or p.stored.shape[0] <= MAX_EXPERTS)


def _shape(p: Placed) -> tuple[int, int] | None:
    return matrix_shape(p.stored.shape, p.flags)


def _cuts(p: Placed, shape: tuple[int, int], around: dict[str, int], heads: Heads) -> list[_Cut]:
    """Return (role, rows, order) of each part; empty if it cannot be known."""
    rows = shape[0]
    if "scan" in p.flags:
        return _scanned(rows, around.get("ssm_out", 0), around["conv"])
    if p.role == "qkv" and "linear" in p.flags:
        return _linear(rows, around.get("o", 0))
    if p.role == "qkv":
        query = around.get("o", rows // 3 if rows % 3 == 0 else 0)
        return _grouped(rows, query, heads.dimension(query, p.layer)) if "grouped" in p.flags else _blocks(rows, query)
    if p.role == "gate_up":
        if rows % 2:
            return []
        names = ("up", "gate") if "swapped" in p.flags else ("gate", "up")
        if "interleaved" in p.flags:
            return [(name, rows // 2, RowOrder(offset=i, size=1, period=2)) for i, name in enumerate(names)]
        return [(name, rows // 2, RowOrder(offset=i * (rows // 2))) for i, name in enumerate(names)]
    if "rotary" in p.flags:
        dimension = heads.dimension(around.get("q", rows), p.layer)
        fits = dimension is not None and dimension % 2 == 0 and rows % dimension == 0
        return [(p.role, rows, RowOrder(rotary=dimension or 0))] if fits else []
    return [(p.role, rows, RowOrder())]


def _blocks(rows: int, query: int) -> list[_Cut]:
    """All of q, then all of k, then all of v."""
    key, rest = divmod(rows - query, 2)
    if query <= 0 or key <= 0 or rest:
        return []
    return [("q", query, RowOrder()), ("k", key, RowOrder(query)), ("v", key, RowOrder(query + key))]


def _linear(rows: int, value: int) -> list[_Cut]:
    """All of q, then all of k, as wide as each other, then all of v."""
    key, rest = divmod(rows - value, 2)
    if value <= 0 or key <= 0 or rest:
        return []
    return [("q", key, RowOrder()), ("k", key, RowOrder(key)), ("v", value, RowOrder(2 * key))]


def _scanned(rows: int, inner: int, channels: int) -> list[_Cut]:
    """Mamba: values, gates. A short convolution: b, c, values. Mamba 2: gates, values, b, c, steps, the middle three convolved."""
    state, rest = divmod(channels - inner, 2)
    if inner <= 0 or rest:
        return []
    if rows == 2 * inner:
        sizes = {"ssm_in": inner, "ssm_gates": inner}
    elif rows == 3 * inner and state == 0:
        sizes = {"ssm_b": inner, "ssm_c": inner, "ssm_in": inner}
    else:
        sizes = {"ssm_gates": inner, "ssm_in": inner, "ssm_b": state, "ssm_c": state, "ssm_step": rows - 2 * inner - 2 * state}
    if min(sizes.values()) <= 0:
        return []
    starts = itertools.accumulate(sizes.values(), initial=0)
    return [(role, size, RowOrder(start)) for (role, size), start in zip(sizes.items(), starts, strict=False)]


def _grouped(rows: int, query: int, dimension: int | None) -> list[_Cut]:
    """For each key-value head: the rows of its query heads, of its key, of its value."""
    key, rest = divmod(rows - query, 2)
    if query <= 0 or key <= 0 or rest or dimension is None or key % dimension or query % key:
        return []
    if key == dimension:
        return _blocks(rows, query)
    size = query // key * dimension
    period = size + 2 * dimension
    return [
        ("q", query, RowOrder(0, size, period)),
        ("k", key, RowOrder(size, dimension, period)),
        ("v", key, RowOrder(size + dimension, dimension, period)),
    ]


def _experts(p: Placed, role: str, shape: tuple[int, int], order: RowOrder) -> Iterator[Weight]:
    """Yield one weight, or one for each expert of a stack."""
    if len(p.stored.shape) != 3:
        yield Weight(role, p.layer, shape, p.stored, order, "transposed" in p.flags, expert=p.expert, stack=p.stack)
        return
    height = extent(p.stored)[0] // p.stored.shape[0]
    for expert in range(p.stored.shape[0]):
        if "transposed" in p.flags:
            yield Weight(role, p.layer, shape, p.stored, order, True, expert * height, expert, p.stack)
        else:
            moved = replace(order, offset=order.offset + expert * height)
            yield Weight(role, p.layer, shape, p.stored, moved, expert=expert, stack=p.stack)
