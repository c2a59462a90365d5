"""One sweep over everything that a model stores, or over a sample: digests of all values, and the lineage fingerprint's sketches."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import itemgetter

import numpy as np

from tensorguard.engines.base import Engine
from tensorguard.fingerprint.base import TensorDigest
from tensorguard.fingerprint.blocks import Blocks
from tensorguard.fingerprint.plan import Plan
from tensorguard.fingerprint.questions import LANGUAGE, Questions
from tensorguard.fingerprint.sketches import Sketches
from tensorguard.fingerprint.sweep_fold import Folded, Matrices
from tensorguard.fingerprint.sweep_tasks import Answer, Range, answer, extent_of, ranges
from tensorguard.fingerprint.usable import require_finite
from tensorguard.probes.anchors import ANCHOR_WORDS
from tensorguard.probes.rademacher import FIXED, PUBLIC, Key, fixed_basis
from tensorguard.progress import Progress
from tensorguard.signals.products import Products
from tensorguard.signals.sample import sample_rows
from tensorguard.signals.unit_table import UNITS
from tensorguard.sources.prefetching import Span
from tensorguard.sources.readahead import read_ahead
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
        digests: One per weight, then per vector, in canonical order; only of those that were read whole.
        sketches: The lineage fingerprint.
        notices: What a user should know, a sentence each.
    """

    digests: tuple[TensorDigest, ...]
    sketches: Sketches
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """A tensor, or the rows of it that are sampled, from `first` on."""

    member: Weight | Vector
    whole: bool
    first: int = 0

    @property
    def width(self) -> int:
        return extent_of(self.member)[1]

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """(start, stop) of the ranges of rows that are read."""
        rows, width = extent_of(self.member)
        return ranges(rows, width) if self.whole else [(self.first, min(rows, self.first + sample_rows(width)))]

    @property
    def elements(self) -> int:
        return sum(stop - start for start, stop in self.ranges) * self.width


class Sweep:
    """Reads a model, all of it or a sample that may grow, every tensor once at most.

    Args:
        view: The canonical view.
        folds: Its norms; of a sample, those of the blocks that are to be read whole.
        heads: Its head dimensions.
        words: The number of each anchor word in its vocabulary; empty without one.
        engine: Runs the tasks; the result does not depend on it.
        products: Computes the matrix products.
        progress: Hears of elements under the task name `sweep`.
        key: Whose probes.
        skip_nonfinite: Say which tensors hold NaN or infinite values, and take them for zeros, instead of refusing the model.

    Raises:
        InputError: Rows of the embedding cannot be read.
    """

    def __init__(
        self,
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
    ) -> None:
        self._view, self._folds, self._key = view, folds, key
        self._members: list[Weight | Vector] = [*view.weights, *view.vectors]
        self._engine, self._progress, self._skip_nonfinite = engine, progress, skip_nonfinite
        self._answer = partial(answer, products=products)
        self._questions = Questions(view, folds, words, key, engine)
        language = (w for w in view.weights if w.stack in LANGUAGE and w.layer is not None)
        self._blocks = tuple(dict.fromkeys((w.stack, w.layer or 0) for w in language))
        self._collector = Blocks(self._blocks, heads.head_dimension)
        self._matrices = Matrices(view.weights)
        self._digests: dict[int, TensorDigest] = {}
        self._sampled: set[int] = set()

    def everything(self) -> Swept:
        """Read all tensors.

        Raises:
            InputError: A tensor cannot be read or decoded, or holds values that are not finite.
        """
        weights = len(self._view.weights)
        return self._read([*self._order(range(weights)), *range(weights, len(self._members))], whole=True)

    def sample(self, plan: Plan) -> Swept:
        """Read what a plan asks for and was not read yet, and return what all that was read says; see `everything`."""
        rows, whole = plan.rows - self._sampled, plan.whole - self._digests.keys()
        self._sampled |= rows
        self._read(self._order(rows), whole=False)
        return self._read(self._order(whole), whole=True)

    def _order(self, indices: Iterable[int]) -> list[int]:
        return sorted(indices, key=lambda index: _sweep_order(self._view.weights[index], index))

    def _read(self, indices: Sequence[int], *, whole: bool) -> Swept:
        asked = [self._part(self._members[index], whole=whole) for index in indices]
        # Questions are made as they are asked: folded inputs are as large as weights.
        ahead = read_ahead(((part, rows) for part in asked for rows in part.ranges), _span)
        tasks = (
            Range(question, *rows)
            for part, group in groupby(ahead, itemgetter(0))
            for question in [self._questions.of(part.member, whole=part.whole)]
            for _, rows in group
        )
        self._progress.start("sweep", sum(part.elements for part in asked), "elements")
        try:
            answers = self._engine.map(self._answer, tasks)
            for index, part in zip(indices, asked, strict=True):
                self._take(index, part, self._folded(part, answers))
        finally:
            self._progress.finish("sweep")
        return self._swept()

    def _part(self, member: Weight | Vector, *, whole: bool) -> "_Part":
        first = 0 if whole or isinstance(member, Vector) else self._questions.first_row(member)
        return _Part(member, whole, first)

    def _folded(self, part: "_Part", answers: Iterator[Answer]) -> Folded:
        total = Folded()
        for start, stop in part.ranges:
            total.add(next(answers))
            self._progress.advance("sweep", (stop - start) * part.width)
        return total

    def _take(self, index: int, part: "_Part", found: Folded) -> None:
        member, digest = part.member, found.digest(part.member)
        if not self._skip_nonfinite:
            require_finite(member.stored.name, member.stored.where, digest.nan, digest.infinite)
        if part.whole:
            self._digests[index] = digest
        if isinstance(member, Weight):
            self._matrices.take(member, found, whole=part.whole)
            response = found.block_response()
            if response is not None:
                self._collector.take(member, response)

    def _swept(self) -> Swept:
        unfolded = len(self._folds.notices) - _MOST_NOTICES
        more = [f"{unfolded} more norms are not folded"] if unfolded > 0 else []
        guessed = [_UNFOLDED_HEADS] if self._collector.guessed_heads else []
        notices = (*self._folds.notices[:_MOST_NOTICES], *more, *guessed)
        digests = tuple(self._digests[index] for index in sorted(self._digests))
        return Swept(digests, _sketches(self._questions, self._key, self._blocks, self._collector, self._matrices), notices)


def _span(asked: tuple[_Part, tuple[int, int]]) -> Span | None:
    part, rows = asked
    return part.member.span(*rows) if isinstance(part.member, Weight) else None


def _sweep_order(weight: Weight, index: int) -> tuple[str, int, bool, int, int]:
    """Sort so that what makes a block's operators lies side by side, expert by expert."""
    layer, expert = (-1 if number is None else number for number in (weight.layer, weight.expert))
    return weight.stack, layer, weight.role not in ("q", "k", "v", "o"), expert, index


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
        whole=matrices.whole(),
    )
