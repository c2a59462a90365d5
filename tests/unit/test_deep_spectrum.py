"""Rank and spectrum of the difference against singular values of the whole matrix."""

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from support.deep import one
from tensorguard.lineage.deep.base import Spectrum

RNG = np.random.default_rng(1)


def normal(*shape: int) -> NDArray[np.float32]:
    return RNG.standard_normal(shape).astype(np.float32)


def spectrum_of(A: NDArray[np.float32], B: NDArray[np.float32]) -> Spectrum:
    spectrum = one(A, B).spectrum
    assert spectrum is not None
    return spectrum


@pytest.mark.parametrize("rank", [1, 8, 64])
@pytest.mark.parametrize("shape", [(3000, 400), (270, 700)])
def test_a_low_rank_is_exact_and_so_is_its_spectrum(rank: int, shape: tuple[int, int]) -> None:
    B = normal(*shape)
    A = B + 0.02 * normal(shape[0], rank) @ normal(rank, shape[1])
    found = one(A, B)
    spectrum = spectrum_of(A, B)
    s = np.linalg.svd((A - B).astype(np.float64), compute_uv=False)
    assert found.kind == "low-rank"
    assert spectrum.rank == rank
    assert spectrum.stable_rank == pytest.approx((s**2).sum() / s[0] ** 2, rel=1e-5)
    shares = np.cumsum(s**2) / (s**2).sum()
    assert spectrum.energy == pytest.approx([shares[k - 1] for k in (8, 16, 32, 64)], abs=1e-5)


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16])
def test_a_low_rank_is_found_below_rounding(dtype: type) -> None:
    B = normal(800, 300).astype(dtype).astype(np.float32)
    A = (B + 0.01 * normal(800, 8) @ normal(8, 300)).astype(dtype).astype(np.float32)
    assert np.linalg.matrix_rank(A - B) == 300
    found = one(A, B)
    assert (found.kind, spectrum_of(A, B).rank) == ("low-rank", 8)
    residual = A - (B + 0.0)
    s = np.linalg.svd(residual.astype(np.float64), compute_uv=False)
    assert spectrum_of(A, B).rounding == pytest.approx((s[8:] ** 2).sum() / (s**2).sum(), rel=1.2)


def test_a_full_update_has_no_rank_and_bounds_from_below() -> None:
    B = normal(500, 300)
    decaying = np.linalg.qr(normal(500, 300))[0] * 0.97 ** np.arange(300) @ np.linalg.qr(normal(300, 300))[0]
    A = B + decaying.astype(np.float32)
    s = np.linalg.svd((A - B).astype(np.float64), compute_uv=False)
    shares = np.cumsum(s**2) / (s**2).sum()
    spectrum = spectrum_of(A, B)
    assert (one(A, B).kind, spectrum.rank) == ("full", None)
    for k, energy in zip((8, 16, 32, 64), spectrum.energy, strict=True):
        assert 0.9 * shares[k - 1] < energy <= shares[k - 1] + 1e-6
    assert spectrum.stable_rank >= (s**2).sum() / s[0] ** 2 - 1e-6


def test_a_change_as_small_as_rounding_is_called_so() -> None:
    B = normal(200, 100).astype(ml_dtypes.bfloat16).astype(np.float32)
    A = B.copy()
    A.reshape(-1)[::50] = np.nextafter(B.reshape(-1)[::50].astype(ml_dtypes.bfloat16), ml_dtypes.bfloat16(9)).astype(np.float32)
    found = one(A, B)
    assert (found.kind, found.detail, found.spectrum) == ("full", "within rounding", None)
