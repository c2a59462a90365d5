"""What the lineage fingerprint keeps of a model: small arrays, all of a size that hardly depends on the model's.

Everything here is a function of the weights alone (and, for the anchor words, of the tokenizer). See `docs/method.md`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.probes.rademacher import PUBLIC

METHOD = "tensorguard-lineage-1"
"""What determines the numbers; whatever changes them is another method."""

ARRAYS = (
    "fixed", "words", "ids", "word_rows", "id_rows", "word_gram", "id_gram", "head_word_rows", "head_id_rows", "head_word_gram",
    "head_id_gram", "unit_index", "unit_vectors", "unit_count", "response", "row_mean", "traces", "sample",
)  # fmt: skip
"""The fields of `Sketches` that are arrays, as they are named in a `.tgfp`."""


@dataclass(frozen=True, slots=True)
class Place:
    """A matrix of the sketches; a layer's experts are summed up to one.

    Attributes:
        role: Its role in the canonical view.
        layer: Block index, or None.
        stack: Which tower it belongs to.
        rows: Output width; of all parts together.
        columns: Input width; the largest of all parts.
        parts: How many matrices it is the sum of; 0 for one that is itself.
    """

    role: str
    layer: int | None
    stack: str
    rows: int
    columns: int
    parts: int = 0


@dataclass(frozen=True, slots=True)
class Sketches:
    """The lineage fingerprint of one model. B blocks, N matrices, d the width of the residual stream.

    Operators of both kinds are folded (`tensors.folding`); missing ones are all zeros.

    Of a model that was only sampled most is missing: what was not read is all zeros, and its `unit_index` -1.

    Attributes:
        key: Whose probes: `public`, or which secret key (`Key.identity`). Sketches of different keys say nothing about each other.
        width: d.
        blocks: (stack, layer) of each block of the language model, in order.
        places: The N matrices, in canonical order.
        sampled: Which of `places` each row sample is of, S indices.
        fixed: Operators X^T M X in the fixed basis X (d x 32, orthonormal), the multiple of the identity taken out, int8 up to
            scale, of shape (B, 5, 32, 32).
        words: Operators E M E^T between anchor words, E the unit-norm anchor rows, each scaled to largest magnitude 1, float16 of
            shape (B, 5, 32, 32); neither centred nor whitened, so that any subset of words can be (`signals.operators`).
        ids: The same between tokens by number, float16 of shape (B, 5, 24, 24).
        word_rows: Anchor rows in the fixed basis, E X, float32 of shape (32, 32); zeros where the vocabulary lacks a word.
        id_rows: The same by number, float32 of shape (24, 32).
        word_gram: E E^T of the unit-norm anchor rows, float32 of shape (32, 32); a zero on the diagonal: the word is missing.
        id_gram: The same by number, float32 of shape (24, 24).
        head_word_rows: Output head's rows of the same words, final gain folded in, H X, float32 of shape (32, 32); zeros without.
        head_id_rows: The same by number, float32 of shape (24, 32).
        head_word_gram: H E^T, float32 of shape (32, 32): rows are head rows, columns are anchor rows.
        head_id_gram: The same by number, float32 of shape (24, 24).
        unit_index: Index of each neuron in its block's unit table, int32 of shape (B, 128), -1 for none; best first.
        unit_vectors: Its reader (gate, or fc_in) in the fixed basis, int8 up to scale, of shape (B, 128, 32).
        unit_count: How many different neurons the block has, of experts the one with the most: what one equal number is worth
            (`signals.unit_table`), int32 of shape (B,).
        response: P^T (W X) of each matrix, unfolded and unscaled, float32 in memory (float16 up to a scale in the file), (N, 64, 16).
        row_mean: 1^T W X / rows, float32 of shape (N, 16).
        traces: What `TRACES` says of each matrix, float32 of shape (N, 7).
        sample: Count sketch of a fixed block of rows, int8 up to scale, of shape (S, 4096).
        whole: Which of `places` were read whole; None: all of them.
    """

    key: str
    width: int
    blocks: tuple[tuple[str, int], ...]
    places: tuple[Place, ...]
    sampled: tuple[int, ...]
    fixed: NDArray[np.int8]
    words: NDArray[np.float16]
    ids: NDArray[np.float16]
    word_rows: NDArray[np.float32]
    id_rows: NDArray[np.float32]
    word_gram: NDArray[np.float32]
    id_gram: NDArray[np.float32]
    head_word_rows: NDArray[np.float32]
    head_id_rows: NDArray[np.float32]
    head_word_gram: NDArray[np.float32]
    head_id_gram: NDArray[np.float32]
    unit_index: NDArray[np.int32]
    unit_vectors: NDArray[np.int8]
    unit_count: NDArray[np.int32]
    response: NDArray[np.float32]
    row_mean: NDArray[np.float32]
    traces: NDArray[np.float32]
    sample: NDArray[np.int8]
    whole: tuple[int, ...] | None = None

    @property
    def secret(self) -> bool:
        """Whether the probes are those of a secret key."""
        return self.key != PUBLIC.identity()

    @property
    def blocks_read(self) -> NDArray[np.bool_]:
        """Which blocks have operators, of shape (B,); of a model that was read whole, all count."""
        everything = np.ones(len(self.blocks), np.bool_)
        return everything if self.whole is None else everything & np.any(self.fixed, axis=(1, 2, 3))
