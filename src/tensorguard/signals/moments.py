"""The paper's statistics of the gradient, in closed form.

For a layer W (m x d), an input x and the loss L = ||W x||, the gradient is G = dL/dW = u x^T with u = W x / ||W x|| (paper,
equation 5): rank one, so E[G^k] = E[u^k] E[x^k] over the entries for every k. Mean, standard deviation, skewness and kurtosis
follow from four raw moments of u and of x, exactly, without building G; and ||G||_F = ||x|| because ||u|| = 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.tensors.base import Float32


def power_sums(O: Float32) -> NDArray[np.float64]:  # noqa: E741
    """Return sum over rows of o^k, k = 1..4, of each column: float64 of shape (4, probes). Sums of row tiles add up."""
    o = O.astype(np.float64)
    with np.errstate(invalid="ignore"):  # infinities of both signs; whoever asks looks whether the sums are finite
        squares = o * o
        cubes, fourth = np.einsum("ij,ij->j", squares, o), np.einsum("ij,ij->j", squares, squares)
        return np.stack([o.sum(0), squares.sum(0), cubes, fourth])


@dataclass(frozen=True, slots=True)
class GradientMoments:
    """Statistics of G over all its entries, one value per repeat: each is float64 of shape (repeats,).

    Attributes:
        mean: E[G].
        std: Standard deviation (population).
        norm: Frobenius norm, which is ||x|| whatever W holds.
        skewness: Third standardised moment (paper, equation 6).
        kurtosis: Fourth standardised moment less 3 (paper, equation 7).
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    norm: NDArray[np.float64]
    skewness: NDArray[np.float64]
    kurtosis: NDArray[np.float64]


STATISTICS = ("mean", "std", "norm", "skewness", "kurtosis")
"""The fields of `GradientMoments`, in the order of the published features."""


def gradient_moments(response: NDArray[np.float64], rows: int, x_moments: NDArray[np.float64], width: int) -> GradientMoments:
    """Compute the statistics of G = u x^T from the factors' moments.

    Args:
        response: `power_sums` of the whole response o = W x, float64 of shape (4, repeats); no second sum may be zero.
        rows: Output width m.
        x_moments: Raw moments E[x^k] of the inputs, float64 of shape (4, repeats).
        width: Input width d.
    """
    length = np.sqrt(response[1])
    u_moments = response / (rows * length ** np.arange(1, 5)[:, None])
    m1, m2, m3, m4 = u_moments * x_moments
    variance = m2 - m1**2
    central3 = m3 - 3 * m1 * m2 + 2 * m1**3
    central4 = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4
    std = np.sqrt(variance)
    return GradientMoments(
        mean=m1,
        std=std,
        norm=np.sqrt(x_moments[1] * width),
        skewness=central3 / std**3,
        kurtosis=central4 / variance**2 - 3,
    )
