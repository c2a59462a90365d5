import numpy as np
import pytest

from tensorguard.signals.anchor_evidence import gram_test, row_test
from tensorguard.signals.correlation import Correlation, correlate, hidden_basis
from tensorguard.signals.rotations import UNEVEN

PAIRS = 6
TALL = [(10**6, 10**6)] * PAIRS


def responses(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((PAIRS, 64, 16)).astype(np.float32), rng.standard_normal((PAIRS, 16)).astype(np.float32)


def compared(a: int | tuple[np.ndarray, np.ndarray], b: int | tuple[np.ndarray, np.ndarray]) -> Correlation:
    first, second = (responses(each) if isinstance(each, int) else each for each in (a, b))
    return correlate(*first, *second, [hidden_basis("q", layer, "language") for layer in range(PAIRS)], TALL)


def test_a_copy() -> None:
    found = compared(1, 1)
    np.testing.assert_allclose(found.cosines, 1)
    np.testing.assert_allclose(found.differences, 0)
    assert found.test.statistic == pytest.approx(1)
    assert found.test.log10_p < -100


def test_strangers() -> None:
    found = compared(1, 2)
    assert abs(found.test.z) < 4
    assert np.abs(found.cosines).max() < 0.2
    assert found.differences.min() > 1


def test_scale_changes_the_difference_and_not_the_cosine() -> None:
    S, mean = responses(1)
    found = compared((2 * S, mean), (S, mean))
    np.testing.assert_allclose(found.cosines, 1)
    np.testing.assert_allclose(found.differences, 1)


def test_what_all_rows_share_does_not_count() -> None:
    """Two strangers with one large row mean in common: P^T (1 r^T) = (P^T 1) r^T."""
    ones = np.random.default_rng(9).standard_normal(64).astype(np.float32)
    (S, mean), (other, _) = responses(1), responses(2)
    shared = 50 * ones[None, :, None] * mean[:, None, :]
    plain = correlate(S + shared, 0 * mean, other + shared, 0 * mean, [hidden_basis("q", 0, "")] * PAIRS, TALL)
    assert plain.cosines.min() > 0.9
    assert np.abs(compared((S + shared, mean), (other + shared, mean)).cosines).max() < 0.2


def test_a_zero_matrix_is_like_nothing() -> None:
    S, mean = responses(1)
    S[0] = 0
    found = compared((S, mean), 1)
    assert found.cosines[0] == 0
    assert found.differences[0] == pytest.approx(1)
    assert compared(1, (S, mean)).differences[0] == np.inf


def test_matrices_of_one_hidden_basis_are_turned_together() -> None:
    S, mean = (np.repeat(each[:1], PAIRS, axis=0) for each in responses(1))
    other, other_mean = (np.repeat(each[:1], PAIRS, axis=0) for each in responses(2))
    together = correlate(S, mean, other, other_mean, [hidden_basis("o", layer, "language") for layer in range(PAIRS)], TALL)
    apart = correlate(S, mean, other, other_mean, [hidden_basis("q", layer, "language") for layer in range(PAIRS)], TALL)
    assert together.test.null_sd == pytest.approx(np.sqrt(PAIRS) * apart.test.null_sd)


@pytest.mark.parametrize(("role", "shape"), [("q", (64, 10**6)), ("embed", (10**6, 16))])
def test_few_rows_or_inputs_spread_more(role: str, shape: tuple[int, int]) -> None:
    """P^T W X of independent Gaussian matrices, as few rows as P has columns, or inputs as X has: signs that are not orthogonal."""
    rng = np.random.default_rng(5)
    rows, columns = (min(side, 512) for side in shape)
    z = []
    for _ in range(300):
        P, X = rng.choice([-1.0, 1.0], (rows, 64)), rng.choice([-1.0, 1.0], (columns, 16))
        S, other = (P.T @ rng.standard_normal((rows, columns)) @ X for _ in "AB")
        mean = np.zeros((1, 16), np.float32)
        z.append(correlate(*_single(S), mean, *_single(other), mean, [hidden_basis(role, None, "")], [shape]).test.z)
    assert np.std(z) == pytest.approx(1 / np.sqrt(UNEVEN), rel=0.12)


def _single(S: np.ndarray) -> tuple[np.ndarray]:
    return (S[None].astype(np.float32),)


def test_hidden_bases() -> None:
    assert hidden_basis("gate", 3, "s") == hidden_basis("up", 3, "s") != hidden_basis("up", 4, "s")
    assert hidden_basis("o", 3, "s") == hidden_basis("down", 4, "s") != hidden_basis("down", 4, "t")
    assert hidden_basis("q", 3, "s") != hidden_basis("k", 3, "s")
    assert hidden_basis("embed", None, "s") == hidden_basis("lm_head", None, "s")


def anchors(seed: int, tokens: int = 20) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((tokens, 32)) + 3


def test_equal_rows_and_strangers_rows() -> None:
    same, strange = row_test(anchors(1), anchors(1)), row_test(anchors(1), anchors(2))
    assert same is not None
    assert strange is not None
    assert same.statistic == pytest.approx(1)
    assert same.log10_p < -20
    assert abs(strange.z) < 4  # though both are far from the origin: rows are centred


def test_rows_that_one_model_lacks_are_left_out() -> None:
    A, B = anchors(1), anchors(1)
    A[3], B[5] = 0, 0
    found = row_test(A, B)
    assert found is not None
    assert found.statistic == pytest.approx(1)
    A[:13] = 0
    assert row_test(A, B) is None


def test_similarities_do_not_see_a_rotation() -> None:
    E, Q = anchors(1), np.linalg.qr(np.random.default_rng(0).standard_normal((32, 32)))[0]
    both = np.ones(20, bool)
    turned, strange = gram_test(E @ E.T, E @ Q @ (E @ Q).T, both, 0.5), gram_test(E @ E.T, anchors(2) @ anchors(2).T, both, 0.5)
    assert turned is not None
    assert strange is not None
    assert turned.statistic == pytest.approx(1)
    assert turned.log10_p < strange.log10_p
    assert strange.log10_p > -0.1
    assert turned.how == "conditional"


def test_a_missing_head_is_no_test() -> None:
    E = anchors(1)
    assert gram_test(0 * E @ E.T, E @ E.T, np.ones(20, bool), 0.5) is None
    assert gram_test(E @ E.T, E @ E.T, np.zeros(20, bool), 0.5) is None
