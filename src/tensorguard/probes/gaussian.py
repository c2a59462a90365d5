"""Gaussian noise: element-wise, zero mean (paper, III-C.2d)."""

from tensorguard.probes.base import Vector

AMPLITUDE = 0.1
"""Standard deviation of the noise; the base input's is 1 (published code)."""


class Gaussian:
    """x + 0.1 n."""

    name = "gaussian"
    needs_gradient = False

    def perturb(self, x: Vector, noise: Vector, gradient: Vector | None) -> Vector:  # noqa: ARG002
        """Add independent noise."""
        return x + AMPLITUDE * noise
