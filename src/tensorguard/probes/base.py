"""The protocol of a noise strategy."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


class Strategy(Protocol):
    """A way to perturb an input (paper, III-C.2). Adding one is adding a file and naming it in `probes.catalogue`."""

    @property
    def name(self) -> str:
        """The word users write."""

    @property
    def needs_gradient(self) -> bool:
        """Whether it follows the gradient of the layer's own loss ||W x||, and so needs the weights first."""

    def perturb(self, x: Vector, noise: Vector, gradient: Vector | None) -> Vector:
        """Return the perturbed input.

        Args:
            x: The base input, float64 of shape (d,), standard normal.
            noise: Standard normal numbers independent of x, same shape.
            gradient: The direction of d||W x||/dx = W^T u (up to a positive factor), same shape; None unless `needs_gradient`.
        """
