"""The canonical view: what a checkpoint holds, whatever its container, sharding, order, names' prefix or dtype.

Nothing here is folded: norms are beside the matrices, not in them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tensorguard.errors import quote
from tensorguard.tensors.base import Stored, extent
from tensorguard.tensors.buffers import reason_to_exclude
from tensorguard.tensors.copies import copies_of_embedding, same_values
from tensorguard.tensors.heads import Heads, model_types
from tensorguard.tensors.locating import BY_STRUCTURE as BY_STRUCTURE
from tensorguard.tensors.locating import locate
from tensorguard.tensors.ordering import in_order, place
from tensorguard.tensors.roles import VECTOR_ROLES
from tensorguard.tensors.splitting import is_matrix, split
from tensorguard.tensors.weight import Weight

_INTEGERS = frozenset({"I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"})


@dataclass(frozen=True, slots=True)
class Vector:
    """What is stored beside the matrices: a norm's gain, a bias, attention sinks, ...

    Attributes:
        role: `norm`, `bias` or `vector`.
        part: The norm's place (attention_in, ffn_in, attention_out, final, ...), or the role or place of what a bias is added to.
        layer: Block index from 0, or None outside blocks.
        stored: The tensor, unsplit; biases of stacked experts have two dimensions.
        expert: Expert index, or None.
        stack: Which tower it belongs to.
    """

    role: str
    part: str
    layer: int | None
    stored: Stored = field(repr=False)
    expert: int | None = None
    stack: str = "decoder"


@dataclass(frozen=True, slots=True)
class View:
    """A model as an ordered list of matrices, and all else that its files hold.

    Attributes:
        weights: All matrices in canonical order: stack, layer (outside blocks first), role, expert.
        vectors: Norms, biases and other vectors, likewise ordered.
        excluded: (name, reason) of every tensor that is neither: buffers, copies, kernels of more than two dimensions, ...
        unknown: Names that the table which fits does not know; their matrices are in `weights` as `other`. Empty where no table fits.
        architecture: The table that fitted, or `unknown` where the shapes alone decided.
        parameters: How many numbers the model has; copies count once, buffers and scales of quantised weights not at all.
        notices: What a user should know, one sentence each.
    """

    weights: tuple[Weight, ...]
    vectors: tuple[Vector, ...]
    excluded: tuple[tuple[str, str], ...]
    unknown: tuple[str, ...]
    architecture: str
    parameters: int
    notices: tuple[str, ...]


def canonical_view(tensors: Sequence[Stored], config: Mapping[str, Any], container: str, *, glance: bool = False) -> View:
    """Find the place of every tensor.

    Args:
        tensors: Everything the checkpoint stores, in any order.
        config: The model's own configuration; it breaks ties and gives head counts, nothing else.
        container: `safetensors` or `gguf`; says how head counts are called.
        glance: Take embeddings that agree in a few rows for equal, instead of reading all of them.

    Returns:
        The view. Reads no more than what decides ties: whether a head is a copy of the embedding, and the order of what has one place.

    Raises:
        InputError: Bytes that had to be read cannot be.
    """
    excluded: dict[str, str] = {}
    usable = []
    names = {stored.name for stored in tensors}
    for stored in tensors:
        if reason := reason_to_exclude(stored, names):
            excluded[stored.name] = reason
        else:
            usable.append(stored)
    heads = Heads(config, container)
    located = locate(usable, model_types(config), heads)
    matrices, vectors = [], []
    uncounted = set(excluded)
    for p in located.placed:
        name, dimensions = p.stored.name, len(p.stored.shape)
        if p.role in VECTOR_ROLES:
            vectors.append(Vector(p.role, p.part, p.layer, p.stored, p.expert, p.stack))
        elif p.role == "other" and p.stored.dtype in _INTEGERS:
            excluded[name] = f"{dimensions}-dimensional tensor of integers with an unknown name: packed weights or a buffer"
            uncounted.add(name)
        elif p.role == "conv" or not is_matrix(p):
            excluded[name] = f"{dimensions}-dimensional tensor that is no matrix and no stack of experts"
        else:
            matrices.append(p)
    kernels = {(p.stack, p.layer): p.stored.shape[0] for p in located.placed if p.role == "conv" and p.stored.shape}
    weights, notices = split(matrices, heads, kernels)
    notices.update(located.notices)
    for copy, original in copies_of_embedding(weights, glance=glance):
        excluded[copy.name] = f"same values as {quote(original.name)}"
        uncounted.add(copy.name)
        notices.add(f"{quote(copy.name)} equals {quote(original.name)}: tied, counted once")
    for copied, kept in _copies_of_bias(vectors):
        excluded[copied] = f"same values as {quote(kept)}"
        uncounted.add(copied)
    if unapplied := sum(reason.endswith(("not applied", "not decoded")) for reason in excluded.values()):
        notices.add(
            f"{unapplied} tensors of a quantisation outside the format are not applied: the weights they belong to are as stored"
        )
    if located.architecture == BY_STRUCTURE and weights and not located.notices:
        notices.add("no table of names fits: roles are told from shapes and repetition alone")
    return View(
        weights=_ordered_weights([w for w in weights if w.name not in uncounted]),
        vectors=_ordered_vectors([v for v in vectors if v.stored.name not in uncounted]),
        excluded=tuple(sorted(excluded.items())),
        unknown=tuple(sorted(located.unknown)),
        architecture=located.architecture,
        parameters=sum(_size(stored) for stored in usable if stored.name not in uncounted),
        notices=tuple(sorted(notices)),
    )


def _copies_of_bias(vectors: Sequence[Vector]) -> list[tuple[str, str]]:
    """Return (copy, original) among the biases of the output head, which BERT's checkpoints store twice."""
    biases = sorted((v.stored for v in vectors if v.role == "bias" and v.part == "lm_head"), key=lambda stored: stored.name)
    return [(b.name, biases[0].name) for b in biases[1:] if same_values(b, biases[0])]


def _ordered_weights(weights: list[Weight]) -> tuple[Weight, ...]:
    return tuple(in_order(weights, lambda w: place(w.stack, w.layer, w.role, "", w.expert, w.shape), lambda w: w))


def _ordered_vectors(vectors: list[Vector]) -> tuple[Vector, ...]:
    return tuple(
        in_order(vectors, lambda v: place(v.stack, v.layer, v.role, v.part, v.expert, v.stored.shape), lambda v: v.stored)
    )


def _size(stored: Stored) -> int:
    rows, columns = extent(stored)
    return rows * columns
