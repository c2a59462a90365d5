import numpy as np
import pytest
import torch

from support.memory import MemoryTensor
from tensorguard.engines.inline import Inline
from tensorguard.engines.threads import Threads
from tensorguard.fingerprint.responses import LayerResponse, respond
from tensorguard.probes.adversarial import EPSILON
from tensorguard.probes.bits import normals
from tensorguard.probes.inputs import ProbeSpec
from tensorguard.progress import Silent
from tensorguard.signals.cuda import TorchProducts
from tensorguard.signals.moments import gradient_moments
from tensorguard.signals.products import NumpyProducts, Products
from tensorguard.tensors.weight import Weight


def weight(array: np.ndarray) -> Weight:
    return Weight("up", 0, array.shape, MemoryTensor("w", array.astype(np.float32)))


def ask(*arrays: np.ndarray, probes: ProbeSpec | None = None, products: Products | None = None, workers: int = 0, **more: bool):
    engine = Threads(workers) if workers else Inline()
    return list(
        respond([weight(a) for a in arrays], probes or ProbeSpec(), engine, products or NumpyProducts(), Silent(), **more)
    )


@pytest.fixture(scope="module")
def matrix() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((9000, 700)).astype(np.float32)


def statistics(response: LayerResponse) -> np.ndarray:
    rows, width = response.weight.shape
    found = gradient_moments(response.sums, rows, response.x_moments, width)
    return np.stack([found.mean, found.std, found.norm, found.skewness, found.kurtosis])


def test_a_matrix_of_many_tiles_equals_one_product(matrix: np.ndarray) -> None:
    (response,) = ask(matrix, probes=ProbeSpec(strategies=("gaussian",)))
    for repeat in (0, 17):
        x = normals(0, "paper/base", repeat, 700) + 0.1 * normals(0, "paper/noise", repeat, 700)
        o = matrix.astype(np.float64) @ x
        for power in (1, 2, 3, 4):
            assert response.sums[power - 1, repeat] == pytest.approx(
                (o**power).sum(), rel=1e-4, abs=1e-2 * np.abs(o).max() ** power
            )


def test_adversarial_columns_see_the_perturbed_input() -> None:
    W = np.random.default_rng(1).standard_normal((50, 40)).astype(np.float32)
    (response,) = ask(W, probes=ProbeSpec(repeats=2, strategies=("adversarial",)), pullback=True)
    for repeat in range(2):
        x = torch.tensor(normals(0, "paper/base", repeat, 40), requires_grad=True)
        (torch.from_numpy(W).double() @ x).norm().backward()
        attacked = (x.detach() + EPSILON * x.grad.sign()).requires_grad_()
        loss = (torch.from_numpy(W).double() @ attacked).norm()
        loss.backward()
        assert np.sqrt(response.sums[1, repeat]) == pytest.approx(loss.item(), rel=1e-5)
        assert response.pullback is not None
        assert response.pullback[repeat] == pytest.approx(attacked.grad.norm().item(), rel=1e-5)


def test_neither_workers_nor_neighbours_change_a_bit(matrix: np.ndarray) -> None:
    other = np.ones((3, 5))
    (alone,) = ask(matrix)
    for workers in (1, 2, 5):
        _, among, _ = ask(other, matrix, other, workers=workers)
        np.testing.assert_array_equal(alone.sums, among.sums)
        np.testing.assert_array_equal(alone.x_moments, among.x_moments)


def test_torch_gives_the_same_within_float32(matrix: np.ndarray) -> None:
    (ours,), (theirs,) = ask(matrix[:2000]), ask(matrix[:2000], products=TorchProducts("cpu"))
    np.testing.assert_allclose(statistics(ours), statistics(theirs), rtol=1e-4, atol=1e-6)


def test_values_that_are_not_finite_are_counted(matrix: np.ndarray) -> None:
    broken = matrix[:1000].copy()
    broken[3, 5] = np.nan
    broken[700, 1] = np.inf
    broken[999, 699] = -np.inf
    (response,) = ask(broken)
    assert (response.nan, response.infinite, response.finite) == (1, 2, False)


def test_overflow_is_told_from_damage() -> None:
    (response,) = ask(np.full((4, 4), 3e38))
    assert (response.nan, response.infinite, response.finite) == (0, 0, False)


def test_a_zero_matrix_is_silent() -> None:
    (response,) = ask(np.zeros((4, 4)))
    assert response.silent


def test_powers_of_two_in_the_weights_change_no_statistic_by_a_bit(matrix: np.ndarray) -> None:
    (plain,) = ask(matrix[:300])
    for exponent in (-100, -70, 60, 110):
        (scaled,) = ask(np.ldexp(matrix[:300], exponent))
        np.testing.assert_array_equal(statistics(scaled), statistics(plain))
        np.testing.assert_array_equal(scaled.gain, np.ldexp(plain.gain, exponent))


def test_a_gradient_of_one_value_is_constant() -> None:
    column = np.random.default_rng(2).standard_normal((30, 1))
    found = ask(np.ones((1, 1)), np.full((30, 1), 0.3), 1 + 1e-5 * column, column, np.ones((30, 30)))
    assert [response.constant for response in found] == [True, True, True, False, False]
