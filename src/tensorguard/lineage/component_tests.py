"""The evidence that needs no search: anchor tokens of embeddings and output heads, and sketches and samples of paired matrices."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tensorguard.fingerprint.sketches import Sketches
from tensorguard.lineage.alignment import Pairs
from tensorguard.lineage.calibration import EMBEDDING_EXCESS, HEAD_EXCESS
from tensorguard.lineage.pairing import paired_places
from tensorguard.signals.anchor_evidence import gram_test, row_test
from tensorguard.signals.correlation import correlate, hidden_basis
from tensorguard.signals.null_draws import Test
from tensorguard.signals.operator_evidence import FEWEST
from tensorguard.signals.sample import sample_test, sampled_rows
from tensorguard.signals.traces import TRACES
from tensorguard.tensors.ordering import LANGUAGE_STACKS
from tensorguard.tensors.roles import SSM

CORRELATED = {
    "embeddings": ("embed", "position", "token_type"),
    "attention": ("q", "k", "v", "o", "qkv", "q_a", "q_b", "kv_a", "kv_b", "attention", *SSM),
    "mlp": ("gate", "up", "down", "gate_up", "fc_in", "fc_out", "ffn"),
    "head": ("lm_head",),
}
"""Roles of each component of the language model."""

TOWERS = "towers"
"""The component of what sees, hears or joins: two language models that share nothing may well look through the same eye."""


Named = tuple[tuple[str, str, str], Test]
"""((signal, basis, component), test)."""


@dataclass(frozen=True, slots=True)
class MatrixPair:
    """Two matrices compared by their response sketches.

    Attributes:
        role: Their role.
        layer: Block of the first, or None.
        other: Block of the second, or None.
        cosine: Of the sketches, the row mean projected out.
        difference: |S_A - S_B| / |S_B|.
    """

    role: str
    layer: int | None
    other: int | None
    cosine: float
    difference: float


def common(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which anchors two models both have, from their Gram matrices."""
    return (np.diagonal(first) > 0) & (np.diagonal(second) > 0)


def anchor_tests(a: Sketches, b: Sketches) -> Iterator[Named]:
    """Yield the tests of embeddings and heads that can be made."""
    words, ids = common(a.word_gram, b.word_gram), common(a.id_gram, b.id_gram)
    # By string where enough words are common: a number means the same token only under the same tokenizer.
    by_word = words.sum() >= FEWEST
    rows = (a.word_rows, b.word_rows) if by_word else (a.id_rows, b.id_rows)
    heads = (a.head_word_rows, b.head_word_rows) if by_word else (a.head_id_rows, b.head_id_rows)
    made = {
        ("anchors", "fixed", "embeddings"): row_test(*rows),
        ("anchors", "words", "embeddings"): gram_test(a.word_gram, b.word_gram, words, EMBEDDING_EXCESS),
        ("anchors", "ids", "embeddings"): gram_test(a.id_gram, b.id_gram, ids, EMBEDDING_EXCESS),
        ("anchors", "fixed", "head"): row_test(*heads),
        ("anchors", "words", "head"): gram_test(a.head_word_gram, b.head_word_gram, words, HEAD_EXCESS),
        ("anchors", "ids", "head"): gram_test(a.head_id_gram, b.head_id_gram, ids, HEAD_EXCESS),
    }
    return ((name, test) for name, test in made.items() if test is not None)


def correlations(a: Sketches, b: Sketches, blocks: Pairs) -> tuple[tuple[MatrixPair, ...], list[Named]]:
    """Return all pairs of matrices of the language models, and the tests of each component that can be made."""
    pairs = [(i, j) for i, j in paired_places(a, b, blocks) if _is_whole(a, i) and _is_whole(b, j)]
    compared: list[MatrixPair] = []
    tests: list[Named] = []
    language = [(i, j) for i, j in pairs if a.places[i].stack in LANGUAGE_STACKS]
    groups = {
        "all": language,
        **{name: [(i, j) for i, j in language if a.places[i].role in roles] for name, roles in CORRELATED.items()},
        TOWERS: [(i, j) for i, j in pairs if a.places[i].stack not in LANGUAGE_STACKS],
    }
    for name, chosen in groups.items():
        if not chosen:
            continue
        first, second = (list(each) for each in zip(*chosen, strict=True))
        bases = [hidden_basis(b.places[j].role, b.places[j].layer, b.places[j].stack) for j in second]
        shapes = [(max(a.places[i].rows, b.places[j].rows), b.places[j].columns) for i, j in chosen]
        found = correlate(a.response[first], a.row_mean[first], b.response[second], b.row_mean[second], bases, shapes)
        tests.append((("correlation", "fixed", name), found.test))
        if name == "all":
            values = zip(chosen, found.cosines.tolist(), found.differences.tolist(), strict=True)
            compared = [MatrixPair(a.places[i].role, a.places[i].layer, b.places[j].layer, *both) for (i, j), *both in values]
    return tuple(compared), tests


def sample_tests(a: Sketches, b: Sketches, blocks: Pairs, log10_ways: float = 0.0) -> list[Named]:
    """Return the tests of row samples: of matrices in paired blocks of which the same numbers were sampled.

    Args:
        a: The first model.
        b: The second.
        blocks: Paired blocks.
        log10_ways: log10 of how many ways to pair them were tried, which every p-value pays for.
    """
    ours, theirs = ({place: row for row, place in enumerate(model.sampled)} for model in (a, b))
    pairs = [(i, j) for i, j in paired_places(a, b, blocks) if i in ours and j in theirs and _same_rows(a, i, b, j)]
    tests: list[Named] = []
    for name in ("all", "attention", "mlp"):
        chosen = [(i, j) for i, j in pairs if name == "all" or a.places[i].role in CORRELATED[name]]
        if chosen:
            A, B = a.sample[[ours[i] for i, _ in chosen]], b.sample[[theirs[j] for _, j in chosen]]
            test = sample_test(A, B)
            tests.append((("sample", "rows", name), replace(test, log10_p=min(0.0, test.log10_p + log10_ways))))
    return tests


def _is_whole(model: Sketches, place: int) -> bool:
    return model.whole is None or place in model.whole


def _same_rows(a: Sketches, i: int, b: Sketches, j: int) -> bool:
    rows = [sampled_rows(m.places[k].rows, m.places[k].columns, secret=m.secret) for m, k in ((a, i), (b, j))]
    varied = min(model.traces[k, TRACES.index("distinct_row")] for model, k in ((a, i), (b, j)))
    return rows[0] == rows[1] and bool(varied > 1)
