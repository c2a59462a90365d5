"""What the lineage fingerprint asks each matrix: the fixed basis and the model's own anchors, as the matrix sees them.

The gain of a norm that a matrix reads through goes into its inputs, the gain of one that it writes through into its outputs
(`tensors.folding`), so that folding the gains beforehand changes nothing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial

import numpy as np

from tensorguard.engines.base import Engine
from tensorguard.fingerprint.sweep_tasks import Question
from tensorguard.probes.anchors import ANCHOR_IDS, ANCHOR_WORDS, anchor_tokens
from tensorguard.probes.rademacher import FIXED, Key, fixed_basis, response_inputs
from tensorguard.signals.operators import COMPRESSED, READERS, WRITERS
from tensorguard.signals.sample import SAMPLED, first_row
from tensorguard.tensors.base import Float32
from tensorguard.tensors.folding import Folding, Folds
from tensorguard.tensors.view import Vector, View
from tensorguard.tensors.weight import Weight

FIXED_COLUMNS = slice(0, FIXED)
WORD_COLUMNS = slice(FIXED, FIXED + len(ANCHOR_WORDS))
ID_COLUMNS = slice(WORD_COLUMNS.stop, WORD_COLUMNS.stop + len(ANCHOR_IDS))
"""Which columns of the inputs are what."""

LANGUAGE = ("encoder", "decoder")
"""The towers that are fingerprinted."""

_FOLDABLE = 4


@dataclass(frozen=True)
class Anchors:
    """The model's own embeddings of the anchor tokens.

    Attributes:
        rows: Unit-norm rows, float32 of shape (32 + 24, d); zeros for a token that the vocabulary lacks.
        head: Unit-norm rows of the output head, the final gain folded in, likewise.
    """

    rows: Float32 = field(repr=False)
    head: Float32 = field(repr=False)


class Questions:
    """Asks the matrices of one model.

    Args:
        view: The model.
        folds: Its norms.
        words: The number of each anchor word in its vocabulary; None for those that it lacks. Empty without a vocabulary.
        key: Whose probes.
        engine: Reads the embedding's rows: on a server each is a request of its own.

    Raises:
        InputError: Rows of the embedding cannot be read.
    """

    def __init__(self, view: View, folds: Folds, words: Sequence[int | None], key: Key, engine: Engine) -> None:
        self._folds = folds
        self._key = key
        self.width = stream_width(view.weights)
        self.anchors = _anchors(view, folds, anchor_tokens(key, words), self.width, engine)
        self._first = {(w.stack, w.layer, w.expert, w.role): w for w in view.weights if w.role in COMPRESSED.values()}
        self._columns: Float32 = np.hstack([fixed_basis(key, self.width), self.anchors.rows.T])
        self._seen = lru_cache(maxsize=_FOLDABLE)(self._seen_through)

    def of(self, member: Weight | Vector, *, whole: bool = True) -> Question:
        """Return what to ask a matrix (the first rows of one that is not read whole), or a vector: nothing but its digest."""
        if isinstance(member, Vector):
            return Question(member.stored, self._key)
        weight = member
        if not whole:
            return Question(weight, self._key, sample=self.first_row(weight), whole=False)
        rows, columns = weight.shape
        inside = weight.stack in LANGUAGE and weight.layer is not None
        forward = backward = None
        if inside and weight.role in READERS and columns == self.width:
            forward = self._seen(weight.stack, weight.layer, weight.role, False)
        if inside and weight.role in WRITERS and rows == self.width:
            backward = self._seen(weight.stack, weight.layer, weight.role, True)
        if inside and weight.role in COMPRESSED:
            forward = self._compressed(weight)
        sampled = inside and weight.role in SAMPLED and weight.expert is None
        return Question(weight, self._key, forward, backward, self.first_row(weight) if sampled else None)

    def first_row(self, weight: Weight) -> int:
        """Return where the row sample of a matrix begins."""
        return first_row(self._key, weight.role, *weight.shape)

    def _compressed(self, weight: Weight) -> Float32 | None:
        """Return what a matrix sees of the probes that another one compresses first (MLA), which is read once more for it.

        The norm between them takes out any scale, so the compressed probes are brought to one.
        """
        first = self._first.get((weight.stack, weight.layer, weight.expert, COMPRESSED[weight.role]))
        latent = weight.shape[1]
        if first is None or first.shape[0] < latent or first.shape[1] != self.width:
            return None
        seen = self._seen(weight.stack, weight.layer, first.role, False)[:, : self._columns.shape[1]]
        made = np.nan_to_num(first.rows(0, latent), nan=0, posinf=0, neginf=0) @ seen
        scale = float(np.sqrt(np.mean(np.square(made[:, FIXED_COLUMNS], dtype=np.float64))))
        fold = _fitting(self._folds.reader(weight.stack, weight.layer, weight.role), latent)
        through = fold.onto(np.asarray(made / (scale or 1.0), np.float32))
        return np.ascontiguousarray(np.hstack([through, response_inputs(self._key, latent)]))

    def _seen_through(self, stack: str, layer: int | None, role: str, writes: bool) -> Float32:
        fold = self._folds.writer(stack, layer, role) if writes else self._folds.reader(stack, layer, role)
        seen = _fitting(fold, self.width).onto(self._columns)
        return np.ascontiguousarray(seen if writes else np.hstack([seen, response_inputs(self._key, self.width)]))


def stream_width(weights: Sequence[Weight]) -> int:
    """Return the width of the residual stream: what most matrices of a block read, or else the embedding's; 0 where there are none."""
    language = [w for w in weights if w.stack in LANGUAGE]
    widths = Counter(w.shape[1] for w in language if w.layer is not None and w.role in READERS)
    widths = widths or Counter(w.shape[1] for w in language if w.role == "embed")
    return max(widths, key=lambda width: (widths[width], width), default=0)


def _anchors(view: View, folds: Folds, tokens: Sequence[int | None], width: int, engine: Engine) -> Anchors:
    embed = next((w for w in view.weights if w.role == "embed" and w.shape[1] == width and w.stack in LANGUAGE), None)
    head = next((w for w in view.weights if w.role == "lm_head" and w.shape[1] == width), embed)
    if embed is None or head is None:
        empty = np.zeros((len(tokens), width), np.float32)
        return Anchors(empty, empty)
    before, after = (
        _fitting(fold, width) for fold in (folds.embedding(embed.stack), folds.reader(embed.stack, None, "lm_head"))
    )
    read = _rows(embed, tokens, engine)
    write = read if head is embed else _rows(head, tokens, engine)
    read, write = _unit(read), _unit(write)
    return Anchors(_unit(before.onto(read.T).T), _unit(_folded(write, after)))


def _fitting(fold: Folding, width: int) -> Folding:
    """Leave out a gain of another length: a stack may hold matrices of several widths."""
    return fold if fold.gain is None or len(fold.gain) == width else Folding(None, fold.centred)


def _folded(rows: Float32, fold: Folding) -> Float32:
    """Return rows of `W diag(gain) C`."""
    scaled = rows if fold.gain is None else rows * fold.gain
    return scaled - scaled.mean(1, keepdims=True) if fold.centred else scaled


def _rows(table: Weight, tokens: Sequence[int | None], engine: Engine) -> Float32:
    found = np.zeros((len(tokens), table.shape[1]), np.float32)
    there = [(row, token) for row, token in enumerate(tokens) if token is not None and 0 <= token < table.shape[0]]
    for (row, _), values in zip(there, engine.map(partial(_row, table), [token for _, token in there]), strict=True):
        found[row] = np.nan_to_num(values, nan=0, posinf=0, neginf=0)
    return found


def _row(table: Weight, token: int) -> Float32:
    found: Float32 = table.rows(token, token + 1)[0]
    return found


def _unit(rows: Float32) -> Float32:
    scale = np.abs(rows).max(1, keepdims=True)
    scaled = rows / np.where(scale > 0, scale, 1)
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(norms > 0, norms, 1), np.float32)
