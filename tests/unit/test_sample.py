"""The row sample against a plain count sketch, and what its cosines promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tensorguard.probes.rademacher import PUBLIC, Key
from tensorguard.signals.rotations import UNEVEN
from tensorguard.signals.sample import BUCKETS, first_row, row_sample, sample_rows, sample_test, sampled_rows


def drawn(rows: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((rows, width)).astype(np.float32)


def cosine(a: NDArray[np.int8], b: NDArray[np.int8]) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize(
    ("width", "rows"), [(1, 65536), (64, 1024), (4096, 16), (5000, 13), (65536, 1), (10**6, 1), (0, 65536)]
)
def test_one_block_of_rows_whatever_the_height(width: int, rows: int) -> None:
    assert sample_rows(width) == rows


def test_every_number_lands_in_one_bucket_with_a_sign() -> None:
    rows = drawn(10, 100)
    sums = np.zeros(BUCKETS)
    for word, value in zip(PUBLIC.words("lineage/sample", rows.size).tolist(), rows.ravel().tolist(), strict=True):
        sums[word % BUCKETS] += value if word >> 63 else -value
    expected = np.round(127 * sums / np.abs(sums).max())
    found = row_sample(PUBLIC, rows)
    assert found.dtype == np.int8
    assert np.array_equal(found, expected)


def test_cosines_of_samples_are_those_of_the_rows() -> None:
    a, noise = drawn(1024, 64), drawn(1024, 64, 1)
    for share in (0.0, 0.3, 0.9, 1.0):
        b = share * a + np.sqrt(1 - share**2) * noise
        true = float(a.ravel() @ b.ravel() / np.linalg.norm(a) / np.linalg.norm(b))
        assert cosine(row_sample(PUBLIC, a), row_sample(PUBLIC, b)) == pytest.approx(true, abs=5 / 64)


def test_scale_does_not_matter_and_keys_do() -> None:
    rows = drawn(64, 64)
    plain = row_sample(PUBLIC, rows)
    assert np.abs(row_sample(PUBLIC, rows * np.float32(1e30)).astype(int) - plain).max() <= 1
    assert np.abs(row_sample(PUBLIC, rows * np.float32(1e-30)).astype(int) - plain).max() <= 1
    assert abs(cosine(plain, row_sample(Key(b"sixteen secret bytes"), rows))) < 5 / 64


def test_zeros_and_nothing() -> None:
    assert not row_sample(PUBLIC, np.zeros((4, 4), np.float32)).any()
    assert row_sample(PUBLIC, np.zeros((0, 4), np.float32)).shape == (BUCKETS,)


def samples(*matrices: NDArray[np.float32]) -> NDArray[np.int8]:
    return np.stack([row_sample(PUBLIC, each) for each in matrices])


def test_the_statistic_is_the_mean_cosine_and_its_bound_is_hoeffdings() -> None:
    a, b = ([drawn(1024, 64, seed) for seed in seeds] for seeds in ((0, 1), (0, 2)))
    A, B = samples(*a), samples(*b)
    cosines = [cosine(x, y) for x, y in zip(A, B, strict=True)]
    found = sample_test(A, B)
    assert found.statistic == pytest.approx(np.mean(cosines))
    parts = [x * y / np.linalg.norm(x) / np.linalg.norm(y) / 2 for x, y in zip(A.astype(float), B.astype(float), strict=True)]
    signs = 2 * np.random.default_rng(3).integers(0, 2, (10_000, 2 * BUCKETS), np.int8) - 1
    sums = signs.astype(np.float32) @ np.abs(np.concatenate(parts)).astype(np.float32)
    assert found.null_sd == pytest.approx(np.sqrt(UNEVEN) * sums.std(), rel=0.03)
    for t in (1, 2, 3):
        bound = 10 ** (-((t * sums.std()) ** 2) / (2 * found.null_sd**2) / np.log(10))
        assert (sums >= t * sums.std()).mean() <= bound
    assert found.log10_p == pytest.approx(-(found.z**2) / (2 * np.log(10)))


def test_copies_strangers_and_a_little_in_common() -> None:
    a, noise = drawn(1024, 64), drawn(1024, 64, 1)
    assert sample_test(samples(a), samples(a)).log10_p < -100
    assert sample_test(samples(a), samples(noise)).log10_p > -3
    z = []
    for seed in range(40):
        first, second = drawn(1024, 64, 2 * seed), drawn(1024, 64, 2 * seed + 1)
        z.append(sample_test(samples(first), samples(0.05 * first + second)).z)
    assert np.mean(z) == pytest.approx(0.05 * 64 / np.sqrt(UNEVEN), abs=0.5)  # what one tensor is worth at a cosine of 0.05


def test_nothing_is_no_evidence() -> None:
    found = sample_test(samples(np.zeros((4, 4), np.float32)), samples(drawn(4, 4)))
    assert (found.z, found.log10_p) == (0, 0)
    assert sample_test(np.zeros((0, BUCKETS), np.int8), np.zeros((0, BUCKETS), np.int8)).log10_p == 0


@settings(deadline=None)
@given(st.integers(1, 40_000), st.integers(1, 80_000), st.sampled_from(["v", "up", "down"]))
def test_a_secret_key_draws_rows_that_are_there_and_nobody_else_knows(rows: int, width: int, role: str) -> None:
    count, places = sampled_rows(rows, width, secret=True)
    start = first_row(Key(b"sixteen secret bytes"), role, rows, width)
    assert start % count == 0
    assert (places > 1) * count <= start <= count * (places - 1)
    assert count * places <= rows < 2 * count * places or count == rows
    assert first_row(PUBLIC, role, rows, width) == 0
    assert sampled_rows(rows, width, secret=False) == (count, 1)


def test_keys_draw_different_rows() -> None:
    starts = {first_row(Key(bytes([i]) * 16), "up", 14336, 4096) for i in range(64)}
    assert len(starts) > 50
    assert max(starts) > 7000
