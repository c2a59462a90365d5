"""All that two fingerprints say about whether their models are related: every test that is made, in one place, corrected together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tensorguard.errors import UsageError
from tensorguard.fingerprint.plan import LOOKS
from tensorguard.fingerprint.sketches import Sketches
from tensorguard.lineage.alignment import Pairs, best_assignment
from tensorguard.lineage.calibration import OPERATOR_EXCESS, Basis
from tensorguard.lineage.component_tests import MatrixPair, anchor_tests, common, correlations, sample_tests
from tensorguard.lineage.corrections import bonferroni
from tensorguard.lineage.layer_map import LayerMap, layer_map
from tensorguard.lineage.operator_tests import OperatorTests, operator_tests
from tensorguard.lineage.sampled import SampledBlocks, is_sampled, sampled_blocks
from tensorguard.signals.null_draws import Test
from tensorguard.signals.operator_evidence import FEWEST, Operators, fixed_basis, whitened
from tensorguard.signals.units import UnitEvidence, UnitTable, unit_evidence


@dataclass(frozen=True, slots=True)
class NamedTest:
    """One test of the evidence.

    Attributes:
        signal: `operators`, `reordered` (operators, blocks in any order), `anchors`, `correlation`, `sample` or `units`.
        basis: Of the residual stream; units have none and say `index`, samples `rows`, correlations say `fixed`.
        component: `all`, `attention`, `mlp`, `embeddings`, `head` or `towers`.
        test: The test. Of units: the count of equal numbers.
        corrected: log10 of its p-value times the number of tests of this pair of models (and of the models searched, and of looks
            at a sample that may have grown), at most 0.
    """

    signal: str
    basis: str
    component: str
    test: Test
    corrected: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What two fingerprints say. Nothing in it is an array.

    Attributes:
        tests: Every test that was made.
        log10_p: The smallest corrected p-value.
        excess: Mean cosine of the operators along the best path, or over the best one-to-one pairs of blocks if that is more, less
            its null mean, by basis: the effect size. What is to be judged is the largest of them.
        effects: Mean cosine of each operator along that path, by basis.
        basis: The basis in which the excess is largest; of the three fields that follow.
        path: The best monotone path through the blocks.
        blocks: The pairs of blocks that units and correlations are compared along: the path, or one-to-one pairs in any order where
            these say more; by number where no operator could be formed.
        layers: Where the first model's blocks come from in the second.
        units: What the unit tables say.
        matrices: Matrices compared one by one.
        similarity: Mean operator cosine between every block of the first and of the second, by basis; empty where `sampled`.
        sampled: How the first rows of the blocks compare where one of the models was not read whole; else None. The layer map is of the
            blocks that were read then.
    """

    tests: tuple[NamedTest, ...]
    log10_p: float
    excess: dict[Basis, float]
    effects: dict[Basis, dict[str, float]]
    basis: Basis | None
    path: Pairs
    blocks: Pairs
    layers: LayerMap
    units: UnitEvidence
    matrices: tuple[MatrixPair, ...]
    similarity: dict[Basis, tuple[tuple[float, ...], ...]]
    sampled: SampledBlocks | None = None

    def test(self, signal: str, basis: str, component: str = "all") -> Test | None:
        """Return one test, or None if it could not be made."""
        found = (t.test for t in self.tests if (t.signal, t.basis, t.component) == (signal, basis, component))
        return next(found, None)


def evidence(a: Sketches, b: Sketches, searched: int = 1) -> Evidence:
    """Compare two lineage fingerprints; of a model that was only sampled, by what was read of it.

    Args:
        a: The first model, a possible child where the layer map is concerned.
        b: The second.
        searched: Among how many models the second was found; p-values are corrected for all of them.

    Raises:
        UsageError: They were made with different keys.
    """
    if a.key != b.key:
        raise UsageError(
            f"fingerprints of different keys ({a.key}, {b.key}) say nothing about each other",
            hint="make both with the same key",
        )
    operators = {basis: found for basis, A, B, margin in _bases(a, b) if (found := operator_tests(A, B, margin)) is not None}
    best = max(operators, key=lambda basis: _excess(operators[basis]), default=None)
    path, blocks, layers = _side_by_side(a, b) if best is None else _aligned(operators[best])
    sampled = sampled_blocks(a, b) if is_sampled(a, b) else None
    if sampled is not None and best is not None:
        path, blocks, layers = _numbered(a, b, path, blocks, layers)
    units = unit_evidence(_unit_table(a), _unit_table(b), blocks)
    matrices, correlated = correlations(a, b, blocks)
    tests = [
        *((("operators", basis, name), test) for basis, found in operators.items() for name, test in found.tests.items()),
        *((("reordered", basis, "all"), found.reordered) for basis, found in operators.items()),
        *anchor_tests(a, b),
        *correlated,
        *(sample_tests(a, b, sampled.pairs, sampled.log10_ways) if sampled else sample_tests(a, b, blocks)),
        (("units", "index", "all"), _unit_test(units)),
    ]
    looks = LOOKS if sampled else 1
    named = tuple(NamedTest(*name, test, bonferroni(test.log10_p, len(tests) * searched * looks)) for name, test in tests)
    return Evidence(
        tests=named,
        log10_p=min(each.corrected for each in named),
        excess={basis: _excess(found) for basis, found in operators.items()},
        effects={basis: found.effects for basis, found in operators.items()},
        basis=best,
        path=path,
        blocks=blocks,
        layers=layers,
        units=units,
        matrices=matrices,
        similarity={} if sampled else {basis: tuple(map(tuple, found.matrix.tolist())) for basis, found in operators.items()},
        sampled=sampled,
    )


def _bases(a: Sketches, b: Sketches) -> Iterator[tuple[Basis, Operators, Operators, Mapping[str, float] | None]]:
    ours, theirs = a.blocks_read, b.blocks_read
    yield "fixed", fixed_basis(a.fixed[ours]), fixed_basis(b.fixed[theirs]), None
    words, ids = common(a.word_gram, b.word_gram), common(a.id_gram, b.id_gram)
    if words.sum() >= FEWEST:
        A, B = whitened(a.words[ours], a.word_gram, words), whitened(b.words[theirs], b.word_gram, words)
        yield "words", A, B, OPERATOR_EXCESS
    if ids.sum() >= FEWEST:
        A, B = whitened(a.ids[ours], a.id_gram, ids), whitened(b.ids[theirs], b.id_gram, ids)
        yield "ids", A, B, OPERATOR_EXCESS


def _aligned(found: OperatorTests) -> tuple[Pairs, Pairs, LayerMap]:
    in_order = found.tests["all"].z >= found.reordered.z
    blocks = found.path if in_order else best_assignment(found.matrix)
    return found.path, blocks, layer_map(found.matrix, blocks, found.noticeable, found.noise)


def _numbered(a: Sketches, b: Sketches, path: Pairs, blocks: Pairs, layers: LayerMap) -> tuple[Pairs, Pairs, LayerMap]:
    """Number blocks among all instead of among those that were read; of the others it is not known where they come from."""
    ours, theirs = (np.flatnonzero(model.blocks_read).tolist() for model in (a, b))
    path, blocks = (tuple((ours[i], theirs[j]) for i, j in pairs) for pairs in (path, blocks))
    origin = {ours[i]: theirs[j] for i, j in enumerate(layers.origins) if j is not None}
    return path, blocks, LayerMap(tuple(origin.get(i) for i in range(len(a.blocks))), (), layers.contrast)


def _side_by_side(a: Sketches, b: Sketches) -> tuple[Pairs, Pairs, LayerMap]:
    """Pair blocks by their number where no operator could be formed and the depths are equal."""
    depth = len(a.blocks) if len(a.blocks) == len(b.blocks) else 0
    return (), tuple((block, block) for block in range(depth)), LayerMap((None,) * len(a.blocks), (), 0.0)


def _excess(found: OperatorTests) -> float:
    return max(found.tests["all"].excess, found.reordered.excess)


def _unit_table(model: Sketches) -> UnitTable:
    return UnitTable(model.unit_index, model.unit_vectors, model.unit_count)


def _unit_test(units: UnitEvidence) -> Test:
    sd = float(np.sqrt(units.expected))
    excess = units.same - units.expected
    return Test(float(units.same), units.expected, sd, excess, excess / sd if sd > 0 else 0.0, units.log10_p, "exact")
