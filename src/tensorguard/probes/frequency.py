"""Noise in the frequency domain: structured, low and high frequency (paper, III-C.2b and c; bands of the published code)."""

from dataclasses import dataclass

import numpy as np

from tensorguard.probes.base import Vector


def band(x: Vector, low: float, high: float) -> Vector:
    """Return the part of x in the given share of its rFFT bins, float64 of shape (d,).

    Args:
        x: A real vector of shape (d,).
        low: Share of the d // 2 + 1 bins below which everything is removed, rounded down.
        high: Share of the bins from which on everything is removed, rounded down.
    """
    spectrum = np.fft.rfft(x)
    bins = len(spectrum)
    spectrum[: int(bins * low)] = 0
    spectrum[int(bins * high) :] = 0
    return np.fft.irfft(spectrum, n=len(x))


@dataclass(frozen=True)
class Band:
    """x + amplitude * (x in a band of its own spectrum).

    Attributes:
        name: The word users write.
        low: First share of the bins kept.
        high: Share of the bins where the band ends.
        amplitude: Weight of the added signal.
    """

    name: str
    low: float
    high: float
    amplitude: float
    needs_gradient = False

    def perturb(self, x: Vector, noise: Vector, gradient: Vector | None) -> Vector:  # noqa: ARG002
        """Add the filtered signal."""
        return x + self.amplitude * band(x, self.low, self.high)


STRUCTURED = Band("structured", 0.0, 0.25, 1.0)
LOW_FREQUENCY = Band("low_frequency", 0.0, 0.125, 0.1)
HIGH_FREQUENCY = Band("high_frequency", 0.5, 1.0, 0.1)
