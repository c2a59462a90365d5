"""Traces of treatments against plain counts."""

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from tensorguard.signals.traces import TRACES, Traces, squares


def drawn(rows: int, width: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((rows, width)).astype(np.float32)


def traces(*ranges: NDArray[np.float32]) -> dict[str, float]:
    """Traces of a matrix that is read in these ranges of rows."""
    total = Traces()
    for W in ranges:
        part = Traces()
        part.see(W, squares(W))
        part.see_sample(W)
        total.add(part)
    numbers = total.numbers()
    assert numbers.dtype == np.float32
    return dict(zip(TRACES, numbers.tolist(), strict=True))


def test_a_matrix_of_float32() -> None:
    W = drawn(50, 200)
    found = traces(W)
    assert found["rms"] == pytest.approx(np.sqrt((W.astype(np.float64) ** 2).mean()), rel=1e-5)
    assert found["zeros"] == 0
    assert found["bf16"] == found["f16"] == 0
    assert found["distinct_32"] == 32
    assert found["distinct_row"] == 200
    assert found["largest"] == np.abs(W[:8]).max()


def test_precisions() -> None:
    W = drawn(8, 64)
    assert traces(W.astype(ml_dtypes.bfloat16).astype(np.float32))["bf16"] == 1
    assert traces(W.astype(np.float16).astype(np.float32))["f16"] == 1
    assert traces(np.float32(1e30) * W)["f16"] == 0, "float16 does not reach so far"
    half = W.astype(np.float16).astype(np.float32)
    assert traces(half)["bf16"] == np.mean(half.astype(ml_dtypes.bfloat16).astype(np.float32) == half)


def test_pruning_and_quantisation() -> None:
    W = drawn(8, 128)
    pruned = np.where(np.abs(W) < 0.5, 0, W).astype(np.float32)
    assert traces(pruned)["zeros"] == pytest.approx(float((pruned == 0).mean()))
    steps = np.round(W.reshape(8, 4, 32) * 2) / 2
    found = traces(steps.reshape(8, 128).astype(np.float32))
    assert found["distinct_32"] == pytest.approx(np.mean([len(set(group)) for group in steps.reshape(-1, 32).tolist()]))
    assert found["distinct_row"] == pytest.approx(np.mean([len(set(row)) for row in steps.reshape(8, 128).tolist()]))


def test_ranges_add_up() -> None:
    one, two = drawn(20, 64), np.float32(3) * drawn(10, 64)[::-1]
    found = traces(one, two)
    both = np.concatenate([one, two]).astype(np.float64)
    assert found["rms"] == pytest.approx(np.sqrt((both**2).mean()), rel=1e-5)
    assert found["largest"] == max(np.abs(one[:8]).max(), np.abs(two[:8]).max())
    assert traces(two, one) == found


@pytest.mark.parametrize("scale", [1e-44, 1e-30, 1e-20, 1e19, 1e30, 3e38])
def test_the_root_mean_square_of_any_scale(scale: float) -> None:
    W = (drawn(8, 32).clip(-1, 1) * np.float64(scale)).astype(np.float32)
    found = traces(W)
    assert found["rms"] == pytest.approx(np.sqrt((W.astype(np.float64) ** 2).mean()), rel=1e-3, abs=2e-45)
    assert found["largest"] == np.abs(W).max()


def test_only_values_that_are_not_finite_have_no_sum() -> None:
    assert squares(np.full((3, 3), 3e38, np.float32)) == pytest.approx(9 * 9e76)
    assert not np.isfinite(squares(np.array([[1, np.nan]], np.float32)))
    assert squares(np.array([[1, np.inf]], np.float32)) == np.inf


def test_narrow_and_empty_matrices() -> None:
    assert traces(drawn(5, 31))["distinct_32"] == 0
    for shape in ((0, 5), (5, 0), (0, 0)):
        assert set(traces(np.zeros(shape, np.float32)).values()) == {0.0}
    assert set(traces().values()) == {0.0}
