"""Compare two models value by value, both streamed."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from tensorguard.engines.base import Engine
from tensorguard.engines.batches import batches
from tensorguard.fingerprint.usable import require_finite
from tensorguard.lineage.deep.base import Deep, TensorComparison
from tensorguard.lineage.deep.basis import Embeddings
from tensorguard.lineage.deep.blocks import READERS, WRITERS, BlockPair, blocks_of, pair_blocks
from tensorguard.lineage.deep.content import match_by_content
from tensorguard.lineage.deep.kinds import ALIKE, compare_sums, with_spectrum, worth_a_spectrum
from tensorguard.lineage.deep.pairs import Pair, Tokens, pair_up
from tensorguard.lineage.deep.recovery import recover
from tensorguard.lineage.deep.spectrum import Projection, basis, fold_projections, project, spectrum
from tensorguard.lineage.deep.summary import summarise
from tensorguard.lineage.deep.tasks import SKETCH, Sums, fold, measure, plan
from tensorguard.probes.rademacher import Key
from tensorguard.progress import Progress
from tensorguard.tensors.folding import folds
from tensorguard.tensors.grouping import HeadDimensions
from tensorguard.tensors.view import View
from tensorguard.tensors.weight import Weight

_BATCH_BYTES = 2**26
"""What the sums of one batch of pairs may take; a batch holds at least one pair."""


def deep_compare(
    a: View,
    b: View,
    *,
    engine: Engine,
    progress: Progress,
    layer_map: Mapping[int, int] | None = None,
    tokens: Tokens | None = None,
    containers: tuple[str, str] = ("safetensors", "safetensors"),
    configs: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {}),
    key: Key | None = None,
) -> Deep:
    """Compare every tensor that two models have in the same place.

    Cosines, differences, counts and grids are exact and independent of the engine. Both models are read once, and a second time
    where the rank of a difference is to be told. Memory is a few tiles per worker and about 70 MB of sums, plus, for tensors with
    many columns, 96 float64 for each of them.

    Args:
        a: The first model.
        b: The second model.
        engine: Runs the tasks.
        progress: Hears of the elements of the first model under the task name `compare`.
        layer_map: Block of the first model -> block of the second. None pairs equal numbers.
        tokens: Rows of the embeddings that belong to the tokens which both vocabularies have, in the first model and in the second,
            int64 of shape (n,) each; used to recover a basis. None for equal numbers.
        containers: `safetensors` or `gguf`, of each; says how gains are stored.
        configs: Configuration of each model; a hint for head counts.
        key: Whose probes find ranks and match neurons and heads; None for the public ones. Nothing else depends on probes.

    Raises:
        InputError: A tensor cannot be read or decoded, or holds values that are not finite.
    """
    probes = key or Key()
    pairs, alone, alone_second = pair_up(a, b, layer_map, tokens)
    moved, left = match_by_content(alone, alone_second, engine, probes)
    pairs += moved
    progress.start("compare", sum(pair.shape[0] * pair.shape[1] for pair in pairs), "elements")
    try:
        found = [each for batch in batches(pairs, _cost, _BATCH_BYTES) for each in _compare(batch, probes, engine, progress)]
    finally:
        progress.finish("compare")
    hidden = {
        (t.stack, t.layer, t.other_layer)
        for t in found
        if t.cosine < ALIKE and t.kind != "scaled" and t.role in READERS + WRITERS
    }
    hidden |= _misshapen(left, layer_map)
    recovery = None
    if blocks := _blocks(a, b, containers, configs, hidden):
        embeddings, plain = _embeddings(a, b, containers, tokens, found)
        recovery = recover(embeddings, plain, blocks, engine=engine, progress=progress, key=probes)
    return summarise(found, left[0], left[1], recovery)


def _cost(pair: Pair) -> int:
    return 8 * pair.shape[1] * (SKETCH + 3) + 24 * pair.rows


def _compare(pairs: list[Pair], key: Key, engine: Engine, progress: Progress) -> list[TensorComparison]:
    plans = [plan(pair, key) for pair in pairs]
    answers = engine.map(measure, [task for tasks in plans for task in tasks])
    found, pending = [], []
    for index, (pair, tasks) in enumerate(zip(pairs, plans, strict=True)):
        sums = fold(answers, len(tasks), pair.shape[1])
        _require_finite(pair, sums)
        comparison, rounding = compare_sums(pair, sums)
        found.append(comparison)
        progress.advance("compare", pair.shape[0] * pair.shape[1])
        if worth_a_spectrum(comparison):
            pending.append((index, sums.energy, rounding, basis(sums.sketch)))
    again = engine.map(project, [Projection(task, Q) for index, _, _, Q in pending for task in plans[index]])
    for index, energy, rounding, Q in pending:
        gram = fold_projections(again, len(plans[index]), Q.shape[1])
        found[index] = with_spectrum(found[index], spectrum(gram, energy, rounding, pairs[index].shape))
    return found


def _blocks(
    a: View,
    b: View,
    containers: tuple[str, str],
    configs: tuple[Mapping[str, Any], Mapping[str, Any]],
    hidden: Collection[tuple[str, int | None, int | None]],
) -> list[BlockPair]:
    if not hidden:
        return []
    first, second = (blocks_of(view, folds(view, container)) for view, container in zip((a, b), containers, strict=True))
    ours, theirs = (
        HeadDimensions(view, config, container) for view, config, container in zip((a, b), configs, containers, strict=True)
    )
    wanted = [(stack, i, j) for stack, i, j in hidden if i is not None and j is not None]
    return pair_blocks(first, second, (ours, theirs), wanted)


def _misshapen(
    left: Sequence[Sequence[Weight]], layer_map: Mapping[int, int] | None
) -> set[tuple[str, int | None, int | None]]:
    """Return the blocks in which both models hold a matrix of one role, in different shapes: padded or pruned neurons or heads."""
    theirs = {(w.stack, w.layer, w.role) for w in left[1] if w.role in READERS + WRITERS}
    found: set[tuple[str, int | None, int | None]] = set()
    for weight in left[0]:
        other = weight.layer if layer_map is None or weight.layer is None else layer_map.get(weight.layer)
        if (weight.stack, other, weight.role) in theirs:
            found.add((weight.stack, weight.layer, other))
    return found


def _embeddings(
    a: View,
    b: View,
    containers: tuple[str, str],
    tokens: Tokens | None,
    found: Sequence[TensorComparison],
) -> tuple[Embeddings | None, float]:
    """Return the embeddings of both models, and their cosine as they stand (0 where they were not compared)."""
    sides = [next((w for w in view.weights if w.role == "embed"), None) for view in (a, b)]
    plain = next((t.cosine for t in found if t.role == "embed"), 0.0)
    if sides[0] is None or sides[1] is None:
        return None, plain
    if tokens is None:
        rows = np.arange(min(sides[0].shape[0], sides[1].shape[0]))
        tokens = rows, rows
    ours, theirs = (folds(v, c).embedding(w.stack) for v, c, w in zip((a, b), containers, sides, strict=True) if w)
    return Embeddings(sides[0], sides[1], *tokens, ours, theirs), plain


def _require_finite(pair: Pair, sums: Sums) -> None:
    for side, weight in (("first", pair.first), ("second", pair.second)):
        if wrong := sums.count(f"nonfinite_{side}"):
            require_finite(weight.name, weight.stored.where, 0, wrong)
