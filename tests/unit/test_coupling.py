"""The statistic that says which matrices share units: what it is by chance, and what it does not see."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kstest

from support.memory import MemoryTensor
from tensorguard.tensors.coupling import Faces, Side, closeness, couplings, faces, shared_stream

UNITS, WIDTH = 60, 40
Array = NDArray[np.float64]


def rows_of(*matrices: Array) -> Faces:
    return faces([Side(MemoryTensor("W", m), True, len(m)) for m in matrices], len(matrices))


def partners(seed: int) -> tuple[Array, Array]:
    """Two matrices with one latent vector behind each pair of rows, and otherwise nothing in common."""
    random = np.random.default_rng(seed)
    latent = random.standard_normal((UNITS, 10))
    first, second = (latent @ random.standard_normal((10, WIDTH)) + random.standard_normal((UNITS, WIDTH)) for _ in range(2))
    return first, second


def test_chance_is_chi_square_with_two_degrees_of_freedom() -> None:
    random = np.random.default_rng(0)
    one, other = (rows_of(*random.standard_normal((20, UNITS, WIDTH))) for _ in range(2))
    assert kstest(couplings(one, other).ravel() + 2, "chi2", args=(2,)).pvalue > 1e-3
    assert kstest(shared_stream(one, other).ravel() + 1, "chi2", args=(1,)).pvalue > 1e-3


def test_shared_units_show_far_beyond_chance() -> None:
    pairs = [partners(seed) for seed in range(4)]
    score = couplings(rows_of(*(a for a, _ in pairs)), rows_of(*(b for _, b in pairs)))
    assert score.diagonal().min() > 100
    assert score[~np.eye(4, dtype=bool)].max() < 30


def test_order_signs_scales_and_rotations_of_the_stream_do_not_matter() -> None:
    random = np.random.default_rng(1)
    first, second = partners(1)
    before = couplings(rows_of(first), rows_of(second))[0, 0]
    order, signs = random.permutation(UNITS), random.choice([-1.0, 1.0], (UNITS, 1))
    scales = np.exp(random.standard_normal((UNITS, 1)))
    rotation = np.linalg.qr(random.standard_normal((WIDTH, WIDTH)))[0]
    changed = ((signs * scales * m)[order] @ rotation for m in (first, second / scales**2))
    assert couplings(*(rows_of(m) for m in changed))[0, 0] == pytest.approx(before, rel=1e-3)


def test_signs_of_one_alone_hide_the_coupling_but_not_the_closeness() -> None:
    random = np.random.default_rng(2)
    first, _ = partners(2)
    second = random.choice([-1.0, 1.0], (UNITS, 1)) * (first + random.standard_normal(first.shape))
    assert couplings(rows_of(first), rows_of(second))[0, 0] < 30
    assert closeness(rows_of(first), rows_of(second))[0, 0] > 5 * closeness(rows_of(first), rows_of(second[::-1]))[0, 0]


def test_copies_of_a_unit_do_not_count() -> None:
    """Padding with copies of the same neurons couples what shares nothing else."""
    random = np.random.default_rng(3)
    first, second = (np.vstack([m, m]) for m in random.standard_normal((2, UNITS, WIDTH)))
    twin = couplings(rows_of(first), rows_of(second))[0, 0]
    assert twin < 40


def test_columns_parts_and_shared_heads() -> None:
    random = np.random.default_rng(4)
    stored = random.standard_normal((WIDTH, 24))
    columns = faces([Side(MemoryTensor("W", stored), False, 8, first=16)], 1)
    assert np.allclose(columns.directions[0], rows_of(stored.T[16:]).directions[0])
    grouped = faces([Side(MemoryTensor("W", stored.T), True, 12, share=2, head=4)], 1).directions[0]
    unit = rows_of(stored.T).directions[0]
    for row in range(12):
        group, inside = divmod(row, 4)
        expected = unit[group * 8 + inside] + unit[group * 8 + 4 + inside]
        assert np.allclose(grouped[row], expected / np.linalg.norm(expected), atol=1e-6)


def test_what_is_not_finite_is_taken_for_nothing_and_zeros_stay() -> None:
    first, second = partners(5)
    first[3], second[7] = np.nan, 0
    score = couplings(rows_of(first), rows_of(second))
    assert np.isfinite(score).all()
    assert score[0, 0] > 100
