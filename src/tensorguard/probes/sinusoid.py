"""Structured sinusoidal patterns (paper, RQ2). The paper gives no parameters; these are ours."""

import numpy as np

from tensorguard.probes.base import Vector

AMPLITUDE = 0.1
"""Root mean square of the wave, the same as of the Gaussian noise."""

MOST_PERIODS = 8
"""The wave has 1 to 8 periods over the width of the layer."""


class Sinusoid:
    """x + 0.1 sqrt(2) sin(2 pi k i / d + phase); the whole number k of periods and the phase are uniformly random."""

    name = "sinusoid"
    needs_gradient = False

    def perturb(self, x: Vector, noise: Vector, gradient: Vector | None) -> Vector:  # noqa: ARG002
        """Add the wave. Its phase is the angle of two numbers of the noise, k the place of the largest of the first eight."""
        periods = 1 + int(np.argmax(noise[:MOST_PERIODS]))
        phase = np.arctan2(noise[-1], noise[len(noise) // 2])
        angle = 2 * np.pi * periods * np.arange(len(x)) / len(x) + phase
        wave: Vector = np.sqrt(2) * np.sin(angle)
        return x + AMPLITUDE * wave
