"""The closed form against two independent computations: autograd's gradient, and scipy's moments of it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tensorguard.probes.inputs import moments
from tensorguard.signals.moments import gradient_moments, power_sums


def gradient(W: np.ndarray, x: np.ndarray) -> np.ndarray:
    weight = torch.tensor(W, dtype=torch.float64, requires_grad=True)
    (torch.tensor(x, dtype=torch.float64) @ weight.T).norm().backward()
    return weight.grad.numpy()


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_closed_form_equals_autograd_and_scipy(rows: int, width: int, seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    W = (scale * rng.standard_t(4, (rows, width))).astype(np.float32)
    X = rng.standard_normal((width, 3)).astype(np.float32)
    O = (W.astype(np.float64) @ X.astype(np.float64)).astype(np.float32)  # noqa: E741
    found = gradient_moments(power_sums(O), rows, moments(X), width)
    for column in range(3):
        G = gradient(W, X[:, column])
        assert found.mean[column] == pytest.approx(G.mean(), rel=1e-4, abs=1e-6 * G.std())
        assert found.std[column] == pytest.approx(G.std(), rel=1e-5)
        assert found.norm[column] == pytest.approx(np.linalg.norm(G), rel=1e-6)
        assert found.skewness[column] == pytest.approx(stats.skew(G, axis=None), rel=1e-3, abs=1e-4)
        assert found.kurtosis[column] == pytest.approx(stats.kurtosis(G, axis=None), rel=1e-3, abs=1e-4)


def test_power_sums_of_tiles_add_up() -> None:
    O = np.random.default_rng(0).standard_normal((100, 5)).astype(np.float32)  # noqa: E741
    np.testing.assert_allclose(power_sums(O[:37]) + power_sums(O[37:]), power_sums(O), rtol=1e-12)


def test_the_norm_is_the_input_norm_whatever_the_weights() -> None:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((64, 4)).astype(np.float32)
    norms = [
        gradient_moments(power_sums((W @ X).astype(np.float32)), 32, moments(X), 64).norm
        for W in (rng.standard_normal((32, 64)), 7 * rng.standard_cauchy((32, 64)))
    ]
    np.testing.assert_array_equal(norms[0], norms[1])
    np.testing.assert_allclose(norms[0], np.linalg.norm(X.astype(np.float64), axis=0))
