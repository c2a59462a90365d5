"""Frequency-domain features of the gradient G = u x^T: where along the rows and columns of W its energy lies.

The two-dimensional spectrum of a rank-one matrix is the product of the spectra of its factors, so the spectra of u (over the
rows of W) and of x (over its columns) say all of it.
"""

import itertools

import numpy as np
from numpy.typing import NDArray

from tensorguard.tensors.base import Float32

BANDS = ("low", "mid", "high")
"""Thirds of the bins of the real FFT; the low one begins at bin 0."""


def band_energies(V: Float32) -> NDArray[np.float64]:
    """Return the share of each column's energy in each third of its spectrum: float64 of shape (3, columns), summing to 1.

    Args:
        V: float32 of shape (n, columns), no column zero. The scale of a column does not matter, so W x serves as well as u.

    The power of a bin counts twice unless it is its own mirror image (bin 0, and the last one of an even n), so that shares are
    shares of ||v||^2 (Parseval).
    """
    edges = [(n * (len(V) // 2 + 1)) // len(BANDS) for n in range(len(BANDS) + 1)]
    shares = np.empty((len(BANDS), V.shape[1]))
    for column in range(V.shape[1]):
        power = np.abs(np.fft.rfft(V[:, column].astype(np.float64))) ** 2
        power[1 : (len(V) + 1) // 2] *= 2
        total = power.sum()
        for band, (low, high) in enumerate(itertools.pairwise(edges)):
            shares[band, column] = power[low:high].sum() / total
    return shares


def spectrum_features(O: Float32, X: Float32) -> dict[str, float]:  # noqa: E741
    """Return the band energies of u (`band_low`, ...) and of x (`input_band_low`, ...), each averaged over the columns.

    Args:
        O: The responses W X, float32 of shape (m, columns), no column zero.
        X: The inputs, float32 of shape (d, columns).
    """
    u, x = band_energies(O).mean(1), band_energies(X).mean(1)
    features = {f"band_{name}": float(share) for name, share in zip(BANDS, u, strict=True)}
    return features | {f"input_band_{name}": float(share) for name, share in zip(BANDS, x, strict=True)}
