"""The matrix products of a signal, on the processor. `cuda` holds the same on an NVIDIA card."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tensorguard.tensors.base import Float32

IN_FLIGHT = 2
"""Threads per processor that keep a card busy: one sends a tile while another's is being multiplied."""


class Products(Protocol):
    """Where matrix products are computed. Implementations are picklable."""

    def forward(self, W: Float32, X: Float32) -> Float32:
        """Return W X: float32 of shape (rows, probes) for W of shape (rows, d) and X of shape (d, probes)."""

    def backward(self, W: Float32, O: Float32) -> Float32:  # noqa: E741
        """Return W^T O: float32 of shape (d, probes) for O of shape (rows, probes)."""

    def both(
        self,
        W: Float32,
        X: Float32,
        O: Float32 | None = None,  # noqa: E741
        stored: NDArray[Any] | None = None,
    ) -> tuple[Float32, Float32 | None]:
        """Return W X and, if O is given, W^T O. A card gets W once, and X once for all tiles.

        Args:
            W: As for `forward`.
            X: As for `forward`; it must not be changed later.
            O: As for `backward`; None if it is not asked for.
            stored: The same numbers as W in bfloat16 or float16, if they are at hand: half the bytes to send.
        """


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

    def both(
        self,
        W: Float32,
        X: Float32,
        O: Float32 | None = None,  # noqa: E741
        stored: NDArray[Any] | None = None,  # noqa: ARG002
    ) -> tuple[Float32, Float32 | None]:
        """Return W X and W^T O; see `Products.both`."""
        return self.forward(W, X), None if O is None else self.backward(W, O)
