"""Adversarial noise: the fast gradient sign method (paper, III-C.2a, equations 1 and 2) on the layer's own loss J = ||W x||."""

import numpy as np

from tensorguard.probes.base import Vector

EPSILON = 0.03
"""Magnitude of the step (published code)."""


class Adversarial:
    """x + epsilon sign(dJ/dx), where dJ/dx = W^T u and u = W x / ||W x||."""

    name = "adversarial"
    needs_gradient = True

    def perturb(self, x: Vector, noise: Vector, gradient: Vector | None) -> Vector:  # noqa: ARG002
        """Take the step; only the sign of `gradient` matters, so W^T (W x) serves as well as W^T u.

        Raises:
            ValueError: There is no gradient.
        """
        if gradient is None:
            raise ValueError("the adversarial strategy needs the gradient of the layer's loss")
        return x + EPSILON * np.sign(gradient)
