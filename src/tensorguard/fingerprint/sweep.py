"""One sweep over everything that a model stores: digests of all values, and the lineage fingerprint's sketches."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from tensorguard.engines.base import Engine
from tensorguard.fingerprint.base import TensorDigest
from tensorguard.fingerprint.blocks import Blocks
from tensorguard.fingerprint.questions import LANGUAGE, Questions
from tensorguard.fingerprint.sketches import Sketches
from tensorguard.fingerprint.sweep_fold import Folded, Matrices
from tensorguard.fingerprint.sweep_tasks import Answer, answer, extent_of, ranges
from tensorguard.fingerprint.usable import require_finite
from tensorguard.probes.anchors import ANCHOR_WORDS
from tensorguard.probes.rademacher import FIXED, PUBLIC, Key, fixed_basis
from tensorguard.progress import Progress
from tensorguard.signals.products import Products
from tensorguard.signals.unit_table import UNITS
from tensorguard.tensors.folding import Folds
from tensorguard.tensors.grouping import HeadDimensions
from tensorguard.tensors.view import Vector, View
from tensorguard.tensors.weight import Weight

_UNFOLDED_HEADS = (
    "query heads share key heads, and nothing says how many rows a head has: a likely number was taken, so two models of this shape"
    " are compared alike, but one whose heads were permuted may not be recognised by them"
)

_MOST_NOTICES = 5
"""Norms that cannot be folded that are named."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep found.

    Attributes:
        digests: One per weight, then per vector, in canonical order.
        sketches: The lineage fingerprint.
        notices: What a user should know, a sentence each.
    """

    digests: tuple[TensorDigest, ...]
    sketches: Sketches
    notices: tuple[str, ...]


def sweep(
    view: View,
    folds: Folds,
    heads: HeadDimensions,
    words: Sequence[int | None],
    *,
    engine: Engine,
    products: Products,
    progress: Progress,
    key: Key = PUBLIC,
    skip_nonfinite: bool = False,
) -> Swept:
    """Read every tensor of a model once.

    Args:
        view: The canonical view.
        folds: Its norms.
        heads: Its head dimensions.
        words: The number of each anchor word in its vocabulary; empty without one.
        engine: Runs the tasks; the result does not depend on it.
        products: Computes the matrix products.
        progress: Hears of elements under the task name `sweep`.
        key: Whose probes.
        skip_nonfinite: Say which tensors hold NaN or infinite values, and take them for zeros, instead of refusing the model.

    Raises:
        InputError: A tensor cannot be read or decoded, or holds values that are not finite.
    """
    questions = Questions(view, folds, words, key)
    order = sorted(range(len(view.weights)), key=lambda index: _sweep_order(view.weights[index], index))
    members: list[Weight | Vector] = [*(view.weights[index] for index in order), *view.vectors]
    blocks = tuple(dict.fromkeys((w.stack, w.layer) for w in view.weights if w.stack in LANGUAGE and w.layer is not None))
    collector = Blocks(blocks, heads.head_dimension)
    matrices = Matrices(view.weights)
    tasks = (
        task for member in members for task in questions.of(member).ranges()
    )  # lazy: folded inputs are as large as weights
    progress.start("sweep", sum(math.prod(extent_of(member)) for member in members), "elements")
    digests: list[TensorDigest | None] = [None] * len(members)
    try:
        answers = engine.map(partial(answer, products=products), tasks)
        for place, member in enumerate(members):
            found = _fold(member, answers, progress)
            digest = found.digest(member)
            if not skip_nonfinite:
                require_finite(member.stored.name, member.stored.where, digest.nan, digest.infinite)
            digests[order[place] if isinstance(member, Weight) else place] = digest
            if isinstance(member, Weight):
                matrices.take(member, found)
                response = found.block_response()
                if response is not None:
                    collector.take(member, response)
    finally:
        progress.finish("sweep")
    unfolded = len(folds.notices) - _MOST_NOTICES
    more = [f"{unfolded} more norms are not folded"] if unfolded > 0 else []
    notices = (*folds.notices[:_MOST_NOTICES], *more, *([_UNFOLDED_HEADS] if collector.guessed_heads else []))
    return Swept(tuple(d for d in digests if d is not None), _sketches(questions, key, blocks, collector, matrices), notices)


def _sweep_order(weight: Weight, index: int) -> tuple[str, int, bool, int, int]:
    """Sort so that what makes a block's operators lies side by side, expert by expert."""
    layer, expert = (-1 if number is None else number for number in (weight.layer, weight.expert))
    return weight.stack, layer, weight.role not in ("q", "k", "v", "o"), expert, index


def _fold(member: Weight | Vector, answers: Iterator[Answer], progress: Progress) -> Folded:
    total = Folded()
    rows, width = extent_of(member)
    for start, stop in ranges(rows, width):
        total.add(next(answers))
        progress.advance("sweep", (stop - start) * width)
    return total


def _sketches(
    questions: Questions, key: Key, blocks: tuple[tuple[str, int], ...], collector: Blocks, matrices: Matrices
) -> Sketches:
    fixed, words, ids = collector.operators()
    tables = [table.strongest() for table in collector.units]
    basis, rows, head = fixed_basis(key, questions.width), questions.anchors.rows, questions.anchors.head
    count = len(ANCHOR_WORDS)
    in_basis, head_in_basis, gram, head_gram = rows @ basis, head @ basis, rows @ rows.T, head @ rows.T
    sampled, samples = matrices.samples()
    return Sketches(
        key=key.identity(),
        width=questions.width,
        blocks=blocks,
        places=matrices.places,
        sampled=sampled,
        fixed=fixed,
        words=words,
        ids=ids,
        word_rows=in_basis[:count],
        id_rows=in_basis[count:],
        word_gram=gram[:count, :count].copy(),
        id_gram=gram[count:, count:].copy(),
        head_word_rows=head_in_basis[:count],
        head_id_rows=head_in_basis[count:],
        head_word_gram=head_gram[:count, :count].copy(),
        head_id_gram=head_gram[count:, count:].copy(),
        unit_index=np.array([index for index, _ in tables], np.int32).reshape(len(blocks), UNITS),
        unit_vectors=np.array([vectors for _, vectors in tables], np.int8).reshape(len(blocks), UNITS, FIXED),
        unit_count=np.array([table.count for table in collector.units], np.int32),
        response=matrices.responses(),
        row_mean=matrices.row_means(),
        traces=matrices.traces(),
        sample=samples,
    )
