"""Exact roles for matrices that no name tells, from the weights: `attention` and `ffn` of the structure become q, k, v, o, gate, up, down.

What cannot be told evidently stays as it was. Queries and keys of one shape are told apart by a guess.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from tensorguard.tensors.anonymous_attention import match_attention, match_fused
from tensorguard.tensors.anonymous_ffn import match_ffn
from tensorguard.tensors.copies import same_values
from tensorguard.tensors.gains import tell_norms
from tensorguard.tensors.heads import Heads
from tensorguard.tensors.linking import link
from tensorguard.tensors.matching import Block, Matched, inner_size
from tensorguard.tensors.ordering import in_order, place
from tensorguard.tensors.placing import Placed
from tensorguard.tensors.queries import queries_first
from tensorguard.tensors.series import Series, numbered_series, series
from tensorguard.tensors.tables import head_of

TOLD = (
    "no table of names fits: roles are told from shapes and repetition, and from the weights by the units that matrices share;"
    " norms that could not be placed so are not folded"
)
GUESSED = "queries and keys have one shape, and nothing tells which are which: a guess"
_ROLES = 4
"""q, k, v, o."""
_MOST = 640
"""With more matrices than this without any pattern in their names (many experts), nothing is told: it would take too much memory."""


def tell_roles(placed: Sequence[Placed], heads: Heads) -> tuple[list[Placed], list[str]]:
    """Find exact roles.

    Args:
        placed: By structure.
        heads: Checked hints.

    Returns:
        All tensors, in the same order, and notices.

    Raises:
        InputError: The bytes of a matrix cannot be read.
    """
    matrices = [p for p in placed if p.role in ("attention", "ffn") and 0 not in p.stored.shape]
    numbered = any(p.layer is not None for p in matrices)
    matrices = [p for p in matrices if (p.layer is not None) == numbered]
    if not matrices or (not numbered and len(matrices) > _MOST):
        return list(placed), []
    width = Counter(size for p in matrices for size in p.stored.shape).most_common(1)[0][0]
    if not numbered:  # the files' order must not matter
        matrices = in_order(matrices, lambda p: place("", None, p.role, "", None, p.stored.shape), lambda p: p.stored)
    attention, ffn = (_series(matrices, role, width) for role in ("attention", "ffn"))
    inner = match_ffn(ffn, width) if ffn else None
    if inner is None or (numbered and len(inner.blocks) > 1) or not attention:
        return list(placed), []
    reference = [each for block in inner.blocks for each in block.values()]

    def head(rows: int) -> int | None:
        return heads.dimension(rows, 0)

    outer = match_attention(attention, reference, width, head, len(inner.blocks)) or match_fused(attention, width, head)
    vectors = numbered_series([p for p in placed if p.role == "vector"])
    output = _head(placed)
    tables = [p for p in placed if p.role == "embed" and p.stored.shape[1] == width and id(p) not in output]
    tables = in_order(tables, lambda p: place("", None, "embed", "", None, p.stored.shape), lambda p: p.stored)
    embed = series(tables)[0] if tables else None
    blocks = _blocks(inner, outer, embed, numbered)
    learnt = any(p.role == "position" for p in placed)
    for block in blocks:
        if outer and "q" in block and block["q"].shape == block["k"].shape:
            block |= queries_first(block["q"], block["k"], embed, vectors, outer.transposed, learnt)
    told: dict[int, Placed] = {}
    for layer, block in enumerate(blocks):
        for role, each in block.items():
            flags = _flags(role, inner, outer)
            for member, expert in zip(each.members, _experts(each), strict=True):
                told[id(member)] = replace(
                    member, role=role, layer=member.layer if numbered else layer, flags=flags, expert=expert
                )
    if numbered and len(blocks) == 1:
        turned = {role: "transposed" in _flags(role, inner, outer) for role in blocks[0]}
        if not any(p.role == "token_type" for p in placed):  # BERT: its norms stand on the stream itself
            told |= tell_norms(vectors, blocks[0], width, turned)
    told |= output if told else {}
    notices = [TOLD] if told else []
    if any("q" in block and block["q"].shape == block["k"].shape for block in blocks):
        notices.append(GUESSED)
    return [told.get(id(p), p) for p in placed], notices


def _head(placed: Sequence[Placed]) -> dict[int, Placed]:
    """Tell the output head from the embedding, where both are stored and differ."""
    tables = [p for p in placed if p.role == "embed"]
    if len(tables) != 2 or tables[0].stored.shape != tables[1].stored.shape:
        return {}
    first, second = (p.stored for p in tables)
    head = None if same_values(first, second) else head_of(first, second)
    return {id(p): replace(p, role="lm_head") for p in tables if p.stored is head}


def _series(ordered: Sequence[Placed], role: str, width: int) -> list[Series]:
    """Return the series of a role that face the stream, if they have the same numbers."""
    found = [each for each in series([p for p in ordered if p.role == role]) if width in each.shape]
    common = Counter(each.numbers for each in found if each.members[0].layer is not None).most_common(1)
    if not common:
        return found
    found = [each for each in found if each.numbers == common[0][0]]
    sizes = Counter(inner_size(each, width) for each in found)
    return [each for each in found if len(found) <= _ROLES or sizes[inner_size(each, width)] > 1]  # without a router


def _blocks(inner: Matched, outer: Matched | None, embed: Series | None, numbered: bool) -> list[Block]:
    if outer is None:
        return inner.blocks if numbered else []
    ffn = inner.blocks
    if outer.transposed and "fc_in" in ffn[0]:
        ffn = [{"fc_in": block["fc_out"], "fc_out": block["fc_in"]} for block in ffn]
    if numbered:
        return [{role: each for block in (*outer.blocks, *ffn) for role, each in block.items()}]
    if len(outer.blocks) not in (len(ffn), 2 * len(ffn)):
        return []
    return link(outer.blocks, ffn, embed, outer.transposed)


def _flags(role: str, inner: Matched, outer: Matched | None) -> frozenset[str]:
    """Return layout words, see `tensors.architectures`; what is plain is stored as attention is."""
    found = inner if role in ("gate", "up", "gate_up", "down") else outer
    transposed = {"transposed"} if found is not None and found.transposed else set[str]()
    return frozenset(transposed | ({"swapped"} if role == "gate_up" and inner.swapped else set()))


def _experts(each: Series) -> list[int | None]:
    """Number the members of one layer, if there are several."""
    layers = Counter(member.layer for member in each.members)
    if max(layers.values()) == 1:
        return [None] * len(each.members)
    seen = Counter[int | None]()
    numbers: list[int | None] = []
    for member in each.members:
        numbers.append(seen[member.layer])
        seen[member.layer] += 1
    return numbers
