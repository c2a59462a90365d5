from fractions import Fraction
from math import comb, factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tensorguard.signals.units import UnitTable, log10_bound, unit_evidence

BLOCKS, UNITS, NEURONS = 3, 40, 100
DIAGONAL = [(block, block) for block in range(BLOCKS)]


def table(seed: int) -> UnitTable:
    rng = np.random.default_rng(seed)
    index = np.stack([rng.permutation(NEURONS)[:UNITS] for _ in range(BLOCKS)]).astype(np.int32)
    vectors = rng.integers(-127, 128, (BLOCKS, UNITS, 32)).astype(np.int8)
    return UnitTable(index, vectors, np.full(BLOCKS, NEURONS, np.int32))


def renumbered(model: UnitTable, seed: int) -> UnitTable:
    """The same neurons under other numbers, and in another order."""
    rng = np.random.default_rng([seed, 1])
    order = np.stack([rng.permutation(UNITS) for _ in range(BLOCKS)])
    numbers = np.stack([rng.permutation(NEURONS)[model.index[block]] for block in range(BLOCKS)])
    return UnitTable(
        np.take_along_axis(numbers, order, 1).astype(np.int32),
        np.take_along_axis(model.vectors, order[..., None], 1),
        model.count,
    )


def test_a_copy_has_all_numbers_in_common() -> None:
    found = unit_evidence(table(0), table(0), DIAGONAL)
    assert (found.matched, found.same) == (BLOCKS * UNITS, BLOCKS * UNITS)
    spans = np.ptp(table(0).index, axis=1) + 1
    assert found.expected == pytest.approx(sum(UNITS / spans))
    assert BLOCKS * UNITS / NEURONS <= found.expected < 1.2 * BLOCKS * UNITS / NEURONS
    assert found.per_pair == ((UNITS, UNITS),) * BLOCKS
    assert found.log10_p < -150


def test_other_numbers_are_no_evidence_though_all_neurons_match() -> None:
    found = unit_evidence(table(0), renumbered(table(0), 1), DIAGONAL)
    assert found.matched == BLOCKS * UNITS
    assert found.log10_p > -3


def test_blocks_that_were_copied_elsewhere() -> None:
    a = table(0)
    moved = UnitTable(a.index[[2, 0]], a.vectors[[2, 0]], a.count[[2, 0]])
    assert unit_evidence(moved, a, [(0, 2), (1, 0)]).same == 2 * UNITS
    assert unit_evidence(moved, a, [(0, 0), (1, 1)]).same <= 2


def test_ties_have_no_match() -> None:
    a = table(0)
    vectors = a.vectors.copy()
    vectors[:, 1] = vectors[:, 0]
    twins = UnitTable(a.index, vectors, a.count)
    assert unit_evidence(twins, twins, DIAGONAL).matched == BLOCKS * (UNITS - 2)


def test_empty_places_of_a_table_are_no_neurons() -> None:
    a = table(0)
    index, vectors = a.index.copy(), a.vectors.copy()
    index[:, 30:], vectors[:, 30:] = -1, 0
    short = UnitTable(index, vectors, a.count)
    assert unit_evidence(short, short, DIAGONAL).matched == BLOCKS * 30
    index[:] = -1
    nothing = unit_evidence(short, a, DIAGONAL)
    assert (nothing.matched, nothing.log10_p) == (0, 0.0)


@given(st.integers(1, 60), st.floats(0.01, 20))
def test_the_bound_lies_above_the_poisson_tail(count: int, expected: float) -> None:
    exact = stats.poisson.sf(count - 1, expected)
    assert 10 ** log10_bound(count, expected) >= exact * (1 - 1e-9)


@given(st.integers(1, 30), st.integers(0, 30), st.data())
def test_the_bound_lies_above_the_exact_law(matched: int, more: int, data: st.DataObject) -> None:
    """n matches of numbers drawn without replacement from h: P(c = k) by inclusion and exclusion, in fractions."""
    neurons = matched + more
    count = data.draw(st.integers(1, matched))

    def exactly(k: int) -> Fraction:
        chances = (
            (-1) ** j * comb(matched - k, j) * Fraction(factorial(neurons - k - j), factorial(neurons))
            for j in range(matched - k + 1)
        )
        return comb(matched, k) * sum(chances, Fraction(0))

    tail = float(sum((exactly(k) for k in range(count, matched + 1)), Fraction(0)))
    assert 10 ** log10_bound(count, matched / neurons) >= tail * (1 - 1e-9)


def test_swapped_models_give_the_same() -> None:
    a, b = table(0), renumbered(table(0), 3)
    assert unit_evidence(a, b, DIAGONAL) == unit_evidence(b, a, DIAGONAL)


def test_neurons_sorted_by_strength_in_both_models_are_no_evidence() -> None:
    """The strongest of many neurons have the first numbers in either, and read something else."""
    p = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        index = np.tile(np.arange(UNITS, dtype=np.int32), (BLOCKS, 1))
        a, b = (
            UnitTable(index, rng.integers(-127, 128, (BLOCKS, UNITS, 4)).astype(np.int8), np.full(BLOCKS, 5000)) for _ in "ab"
        )
        found = unit_evidence(a, b, DIAGONAL)
        assert found.matched > 10
        p.append(found.log10_p)
    assert min(p) > -3
