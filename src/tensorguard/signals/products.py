"""The matrix products of a signal, on the processor. `cuda` holds the same on an NVIDIA card."""

from typing import Protocol

import numpy as np

from tensorguard.tensors.base import Float32


class Products(Protocol):
    """Where matrix products are computed. Implementations are picklable."""

    def forward(self, W: Float32, X: Float32) -> Float32:
        """Return W X: float32 of shape (rows, probes) for W of shape (rows, d) and X of shape (d, probes)."""

    def backward(self, W: Float32, O: Float32) -> Float32:  # noqa: E741
        """Return W^T O: float32 of shape (d, probes) for O of shape (rows, probes)."""


class NumpyProducts:
    """Products by numpy's BLAS; pin it to one thread where several workers run."""

    def forward(self, W: Float32, X: Float32) -> Float32:
        """Return W X; see `Products.forward`."""
        with np.errstate(over="ignore", invalid="ignore"):
            return W @ X

    def backward(self, W: Float32, O: Float32) -> Float32:  # noqa: E741
        """Return W^T O; see `Products.backward`."""
        with np.errstate(over="ignore", invalid="ignore"):
            return (O.T @ W).T  # a fifteenth faster than W.T @ O in OpenBLAS
