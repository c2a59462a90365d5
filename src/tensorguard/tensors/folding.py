"""What the norms do to the matrices beside them, so that folding a norm into its neighbours beforehand is no disguise.

A pre-norm multiplies what its readers read by a gain g, and a LayerNorm takes the mean out first: the model computes `W diag(g) C x / s`
with `C = I - 11^T / d`. An output norm (Gemma 2 and 3, OLMo 2) multiplies what its writer writes: `diag(g) W x / s`. Where every reader
takes the mean out, what a writer puts into the direction 1 is lost: `C W x`. A post-norm (BERT) stands on the residual stream itself
and is folded into nothing. The biases of norms only move the readers' biases, and the operators know no biases.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tensorguard.errors import quote
from tensorguard.tensors.architectures import architectures
from tensorguard.tensors.base import Float32, extent
from tensorguard.tensors.view import Vector, View

_LANGUAGE = frozenset({"decoder", "encoder", "cross"})
"""Stacks that the architecture's table is about; other towers have norms of their own kind."""

_ATTENTION_IN, _FFN_IN = ("attention_in_2", "attention_in"), ("ffn_in", "attention_in")
"""Places to look at in turn. In GGUF, Falcon's second norm is the attention's. One norm for both (GPT-J, Phi, Cohere) is attention_in."""

_READ_THROUGH: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("q", "k", "v", "qkv", "q_a", "kv_a", "attention"), _ATTENTION_IN),
    **dict.fromkeys(("gate", "up", "gate_up", "fc_in", "router", "shared_router"), _FFN_IN),
    **dict.fromkeys(("ssm_in", "ssm_gates", "ssm_b", "ssm_c", "ssm_step"), ("ssm_in", "attention_in")),
    "q_b": ("q_a",),
    "kv_b": ("kv_a",),
    "lm_head": ("final",),
}
"""Role of a reader -> the places of the norm that it reads through, the first that exists."""

_WRITTEN_THROUGH = {"o": "attention_out", "ssm_out": "attention_out", "down": "ffn_out", "fc_out": "ffn_out"}
"""Role of a writer -> the place of its output norm."""

_BEHIND = {"q_b": "q_a", "kv_b": "kv_a"}
_PLACES = {place for places in _READ_THROUGH.values() for place in places} | {*_WRITTEN_THROUGH.values(), "cross_in", "embed"}
_PRE = frozenset({"attention_in", "attention_in_2", "ffn_in", "ssm_in", "cross_in"})
_POST = frozenset({"attention_post", "ffn_post"})
_SHOW_KIND = (_PRE | {"final", "embed"}) - {"ssm_in"}
"""Places of norms whose bias shows that a stack has LayerNorms; ssm_in may be the bias of the matrix of that name."""


@dataclass(frozen=True, slots=True, eq=False)
class Folding:
    """What is folded into one side of a matrix.

    Attributes:
        gain: float32 of shape (d,), or None where there is nothing to multiply with.
        centred: Whether the direction 1 is projected out, on the side of the residual stream: after the gain into a reader's
            columns (`W diag(gain) C`) and a writer's rows (`C diag(gain) W`).
    """

    gain: Float32 | None = None
    centred: bool = False

    def onto(self, probes: Float32) -> Float32:
        """Return what the unfolded matrix is multiplied with in place of the folded one.

        Args:
            probes: X of shape (d, n), in the space that this side of the matrix reads or writes.

        Returns:
            `diag(gain) C X`, of the same shape: `(W diag(gain) C) X = W (diag(gain) C X)`, and for a writer
            `X^T (C diag(gain) W) = (diag(gain) C X)^T W`.
        """
        if self.centred:
            probes = probes - probes.mean(axis=0, dtype=np.float64).astype(np.float32)
        return probes if self.gain is None else self.gain[:, None] * probes


_NOTHING = Folding()
_Place = tuple[str, int | None, str]
"""Stack, layer, place of a norm."""


class Folds:
    """All that is folded in one model. Made by `folds`."""

    def __init__(
        self,
        gains: Mapping[_Place, Float32 | None],
        layer_norms: frozenset[str],
        folded: frozenset[str],
        notices: Iterable[str],
    ) -> None:
        self._gains = gains
        self._layer_norms = layer_norms
        self._folded = folded
        self._normed = frozenset(stack for stack, _, place in gains if place in _PRE or place == "final")
        self.notices = tuple(sorted(set(notices)))
        """Norms that could not be folded, a sentence each."""

    def reader(self, stack: str, layer: int | None, role: str) -> Folding:
        """Return what is folded into the columns of a matrix that reads the residual stream; nothing for any other role.

        q_b and kv_b read what q_a and kv_a made of the stream, through a norm of its own. The gain is as long as the matrix has
        columns where the checkpoint's shapes agree.
        """
        if stack == "cross":
            return self._cross_reader(layer, role)
        places = _READ_THROUGH.get(role, ())
        return self._through(stack, None if role == "lm_head" else layer, places, inner=role in _BEHIND)

    def writer(self, stack: str, layer: int | None, role: str) -> Folding:
        """Return what is folded into the rows of a matrix that writes to the residual stream; nothing for any other role."""
        if role not in _WRITTEN_THROUGH:
            return _NOTHING
        stream = "decoder" if stack == "cross" else stack
        if stream not in self._folded:
            return _NOTHING
        gain = None if stack == "cross" else self._gains.get((stack, layer, _WRITTEN_THROUGH[role]))
        return Folding(gain, stream in self._layer_norms)

    def embedding(self, stack: str) -> Folding:
        """Return what happens to embedding rows before the first block.

        `centred`: their mean is taken out, by the embedding's own LayerNorm or by all that read them. The gain belongs on rows
        that have been scaled to one norm; it is None where the embedding has no norm of its own.
        """
        return Folding(self._gains.get((stack, None, "embed")), stack in self._layer_norms)

    def _through(self, stack: str, layer: int | None, places: tuple[str, ...], *, inner: bool = False) -> Folding:
        if stack not in self._folded or not places:
            return _NOTHING
        centred = stack in self._layer_norms and not inner
        for place in places:
            if (stack, layer, place) in self._gains:
                return Folding(self._gains[stack, layer, place], centred)
        # No norm is stored here: either it has no parameters, or this one place (ModernBERT's first block) has none.
        return Folding(None, centred and stack not in self._normed)

    def _cross_reader(self, layer: int | None, role: str) -> Folding:
        """Queries read the decoder's stream, keys and values the encoder's result."""
        if role == "q":
            return self._through("decoder", layer, ("cross_in", "attention_in"))
        return self._through("encoder", None, ("final",) if role in ("k", "v") else ())


def folds(view: View, container: str) -> Folds:
    """Find what the norms of a model do to its matrices.

    Args:
        view: The model. Its architecture's table says what names do not: LayerNorms without biases, gains stored as g for 1 + g.
        container: `safetensors` or `gguf`; the latter stores every gain ready to multiply with.

    Returns:
        The foldings. Reads every norm once. Gains that are not finite or do not fit the matrices are left out, with a notice.

    Raises:
        InputError: The bytes of a norm cannot be read.
    """
    table = next((table for table in architectures() if table.name == view.architecture), None)
    stacks = {weight.stack for weight in view.weights}
    norms = _norms(view)
    layer_norms = {
        v.stack for v in view.vectors if v.role == "bias" and v.part in _PRE | {"final", "embed"} and v.layer is None
    }
    layer_norms |= {v.stack for v in view.vectors if v.role == "bias" and v.part in _PRE}
    layer_norms |= stacks & _LANGUAGE if table is not None and table.layer_norm else set()
    offset = 1.0 if table is not None and table.gain_from_one and container != "gguf" else 0.0
    widths = _widths(view)
    gains: dict[_Place, Float32 | None] = {}
    notices = []
    for place, vectors in norms.items():
        gains[place] = None
        if len(vectors) > 1:
            notices.append(f"{len(vectors)} norms at one place are not folded: {quote(vectors[0].stored.name)} and others")
            continue
        gain, reason = _gain(vectors[0], _width(place, widths), offset if place[0] in _LANGUAGE else 0.0)
        gains[place] = gain
        if reason:
            notices.append(f"{quote(vectors[0].stored.name)} is not folded: {reason}")
    return Folds(gains, frozenset(layer_norms), frozenset(_pre_normed(view, stacks, layer_norms)), notices)


def _norms(view: View) -> dict[_Place, list[Vector]]:
    norms: dict[_Place, list[Vector]] = defaultdict(list)
    for vector in view.vectors:
        if vector.role == "norm" and vector.part in _PLACES and vector.expert is None:
            norms[vector.stack, vector.layer, vector.part].append(vector)
    for stack, layer, part in list(norms):
        # The only norm after attention is the MLP's pre-norm, whatever it is called (gpt-oss and Qwen3-Next in GGUF).
        if part == "attention_out" and not {(stack, layer, "ffn_in"), (stack, layer, "ffn_out")} & norms.keys():
            norms[stack, layer, "ffn_in"] = norms.pop((stack, layer, part))
    return norms


def _pre_normed(view: View, stacks: set[str], layer_norms: set[str]) -> set[str]:
    """Return the stacks that are not post-normed: BART and the first OPT name their norms alike, but have no final LayerNorm."""
    parts: dict[str, set[str]] = defaultdict(set)
    for vector in view.vectors:
        if vector.role == "norm":
            parts[vector.stack].add(vector.part)
    return {
        stack
        for stack in stacks | parts.keys()
        if not parts[stack] & _POST and not (stack in layer_norms and parts[stack] & _PRE and "final" not in parts[stack])
    }


def _width(place: _Place, widths: Mapping[_Place, int]) -> int | None:
    """Return how long a gain must be to fit the matrices beside it; None where there are none."""
    if place in widths or place[2] in _BEHIND.values():
        return widths.get(place)
    return widths.get((place[0], None, ""))


def _widths(view: View) -> dict[_Place, int]:
    """Return how wide is what norms stand on: the stream of each stack (place ""), its embedding, and MLA between its halves."""
    counts: dict[_Place, Counter[int]] = defaultdict(Counter)
    for weight in view.weights:
        rows, columns = weight.shape
        if weight.role in _BEHIND:
            counts[weight.stack, weight.layer, _BEHIND[weight.role]][columns] += 1
        elif weight.role == "embed":
            counts[weight.stack, None, "embed"][columns] += 1
        elif weight.stack != "cross" and weight.role in _READ_THROUGH:
            counts[weight.stack, None, ""][columns] += 1
        elif weight.stack != "cross" and weight.role in _WRITTEN_THROUGH:
            counts[weight.stack, None, ""][rows] += 1
    return {place: max(counter, key=lambda width: (counter[width], width)) for place, counter in counts.items()}


def _gain(norm: Vector, width: int | None, offset: float) -> tuple[Float32 | None, str]:
    """Read a norm's gain, or say why it cannot be folded."""
    if width is None:
        return None, ""
    rows, columns = extent(norm.stored)
    if rows * columns != width:
        return None, f"its {rows * columns} numbers do not fit a width of {width}"
    gain = norm.stored.read(slice(0, rows), slice(0, columns)).reshape(-1)
    if not np.isfinite(gain).all():
        return None, "it holds numbers that are not finite"
    return gain + np.float32(offset), ""
