import numpy as np
import pytest
from numpy.typing import NDArray

from tensorguard.signals.operator_evidence import (
    MEANING,
    between_anchors,
    cosines,
    fixed_basis,
    mean_cosines,
    rotated_means,
    whitened,
)
from tensorguard.signals.rotations import haar

BLOCKS, WORDS, WIDTH = 3, 12, 40
LEADING = round(MEANING * (WORDS - 1))


def weights(seed: int, blocks: int = BLOCKS) -> NDArray[np.float64]:
    """M of every block and operator."""
    return np.random.default_rng(seed).standard_normal((blocks, 5, WIDTH, WIDTH))


def anchors(seed: int) -> NDArray[np.float64]:
    E = np.random.default_rng([seed, 7]).standard_normal((WORDS, WIDTH)) + 2
    return E / np.linalg.norm(E, axis=1, keepdims=True)


def token_space(
    M: NDArray[np.float64], E: NDArray[np.float64], present: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    return whitened(E @ M @ E.T, E @ E.T, np.ones(WORDS, bool) if present is None else present)


def rotation(seed: int) -> NDArray[np.float64]:
    return np.linalg.qr(np.random.default_rng([seed, 8]).standard_normal((WIDTH, WIDTH)))[0]


def test_fixed_basis_has_norm_one_and_no_trace() -> None:
    stored = np.random.default_rng(0).integers(-127, 128, (2, 5, 8, 8)).astype(np.int8)
    stored[1, 3] = 0
    A = fixed_basis(stored)
    np.testing.assert_allclose(np.trace(A, axis1=2, axis2=3), 0, atol=1e-12)
    norms = np.linalg.norm(A, axis=(2, 3))
    np.testing.assert_allclose(np.delete(norms.ravel(), 8), 1)
    assert norms[1, 3] == 0


def test_only_the_identity_is_no_operator() -> None:
    stored = np.zeros((1, 5, 8, 8), np.int8)
    stored[:] = 100 * np.eye(8, dtype=np.int8)
    assert not fixed_basis(stored).any()


def test_whitened_is_the_operator_between_orthonormal_combinations_of_centred_anchors() -> None:
    """Against the textbook formula in the full space of words, whose centred part has the same cosines."""
    M, E = weights(1), anchors(1)
    J = np.eye(WORDS) - 1 / WORDS
    U, singular, _ = np.linalg.svd(J @ E)
    weak = U[:, LEADING : WORDS - 1]  # the last direction is the mean
    root = (weak / singular[LEADING : WORDS - 1]) @ weak.T
    full = root @ J @ E @ M @ E.T @ J @ root
    full -= np.trace(full, axis1=2, axis2=3)[..., None, None] / weak.shape[1] * (weak @ weak.T)
    full /= np.linalg.norm(full, axis=(2, 3), keepdims=True)
    ours = token_space(M, E)
    assert ours.shape == (BLOCKS, 5, WORDS - 1, WORDS - 1)
    np.testing.assert_allclose(cosines(ours, ours), np.einsum("aoij,boij->oab", full, full), atol=1e-6)


def test_what_the_leading_directions_hold_does_not_count() -> None:
    """Two models whose tokens differ most along one direction, and whose blocks do the same along it."""
    E = anchors(1)
    E = E + 3 * np.outer(np.linspace(-1, 1, WORDS), np.eye(WIDTH)[0])
    A, B = (weights(seed) for seed in (1, 2))
    A[..., 0, 0], B[..., 0, 0] = 60, 60
    assert abs(mean_cosines(token_space(A, E), token_space(B, E), [range(5)])).max() < 0.3


@pytest.mark.parametrize("seed", range(3))
def test_token_space_does_not_see_a_rotation_of_the_residual_stream(seed: int) -> None:
    M, E, Q = weights(seed), anchors(seed), rotation(seed)
    np.testing.assert_allclose(token_space(Q.T @ M @ Q, E @ Q), token_space(M, E), atol=1e-9)


def test_token_space_does_not_see_what_is_added_to_every_anchor() -> None:
    M, E = weights(4), anchors(4)
    shift = np.random.default_rng(5).standard_normal(WIDTH)
    np.testing.assert_allclose(token_space(M, E + shift), token_space(M, E), atol=1e-9)


def test_missing_words_are_as_if_never_asked_for() -> None:
    M, E = weights(2), anchors(2)
    present = np.ones(WORDS, bool)
    present[[1, 5]] = False
    fewer = np.delete(E, [1, 5], axis=0)
    expected = whitened(fewer @ M @ fewer.T, fewer @ fewer.T, np.ones(WORDS - 2, bool))
    E[~present] = np.nan
    np.testing.assert_allclose(token_space(M, E, present), expected, atol=1e-12)


def test_between_anchors_is_the_same_with_a_place_for_every_anchor() -> None:
    M, E = weights(2), anchors(2)
    E[[1, 5]] = 0
    raw, gram = (E @ M @ E.T).astype(np.float16), E @ E.T
    found, expected = between_anchors(raw, gram), whitened(raw, gram, E.any(1))
    assert found.shape == (BLOCKS, 5, WORDS, WORDS)
    assert not found[..., [1, 5], :].any()
    assert not found[..., [1, 5]].any()
    np.testing.assert_allclose(cosines(found, found), cosines(expected, expected), atol=1e-5)


def test_float16_costs_next_to_nothing() -> None:
    M, E = weights(3), anchors(3)
    raw = E @ M @ E.T
    half = (raw / np.abs(raw).max((2, 3), keepdims=True)).astype(np.float16)
    stored = whitened(half, (E @ E.T).astype(np.float32), np.ones(WORDS, bool))
    np.testing.assert_array_less(0.999, np.einsum("boij,boij->bo", stored, token_space(M, E)))


def test_directions_that_the_anchors_hardly_span_are_left_out() -> None:
    """Two nearly equal anchors: their difference is mostly rounding."""
    M, E = weights(6), anchors(6)
    E[1] = E[0] + 1e-6 * E[2]
    A = token_space(M, E)
    assert np.linalg.matrix_rank(A[0, 0], tol=1e-6) == WORDS - 2 - LEADING


def test_anchors_that_all_lie_on_a_line_say_nothing() -> None:
    E = anchors(1) * 1e-4 + 3 * np.outer(np.linspace(-1, 1, WORDS), np.eye(WIDTH)[0])
    assert not token_space(weights(1), E).any()


def test_cosines_are_missing_where_either_model_lacks_the_operator() -> None:
    A, B = (token_space(weights(seed), anchors(seed)) for seed in (1, 2))
    A[0, 2] = 0
    found = cosines(A, B)
    assert np.isnan(found[2, 0]).all()
    assert np.isfinite(np.delete(found.reshape(5 * BLOCKS, BLOCKS), 2 * BLOCKS, axis=0)).all()
    mean = mean_cosines(A, B, [(0, 1, 2)])[0]
    np.testing.assert_allclose(mean, np.nanmean(found[:3], axis=0))


def test_nothing_in_common_counts_as_zero() -> None:
    A, B = (token_space(weights(seed), anchors(seed)) for seed in (1, 2))
    A[:, :2], B[:, 2:] = 0, 0
    assert not mean_cosines(A, B, [range(5)]).any()


def test_rotated_means_are_the_means_of_rotated_operators() -> None:
    A, B = (token_space(weights(seed, blocks), anchors(seed)) for seed, blocks in ((1, 2), (2, 4)))
    B[3, 1] = 0
    rotations = haar(WORDS - 1, 20)
    components = [range(5), (1, 2)]
    found = np.concatenate(list(rotated_means(A, B, components, rotations)))
    assert found.shape == (20, 2, 2, 4)
    for draw in (0, 7, 19):
        R = rotations[draw].astype(np.float64)
        np.testing.assert_allclose(found[draw], mean_cosines(A, R @ B @ R.T, components), atol=1e-6)


def test_rotations_are_orthogonal_fixed_and_spread_evenly() -> None:
    R = haar(6, 400)
    np.testing.assert_allclose(R @ R.transpose(0, 2, 1), np.broadcast_to(np.eye(6), R.shape), atol=1e-5)
    np.testing.assert_array_equal(haar(6, 50), R[:50])
    assert abs(np.linalg.det(R.astype(np.float64)).mean()) < 0.2  # both signs
    assert abs((R[:, 0, 0].astype(np.float64) ** 2).mean() - 1 / 6) < 0.03
