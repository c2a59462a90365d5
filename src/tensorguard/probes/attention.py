"""Attention-shaped probes of the published code's sensitivity study: what a layer may see behind attention.

They shape the base input rather than perturb it. Random choices follow the order of the noise, so they need no generator of
their own.
"""

import numpy as np

from tensorguard.probes.base import Vector

FOCUS_SHARE = 4
"""One dimension in four is in focus."""

FOCUS_GAIN = 4.0
"""How much larger the dimensions in focus are."""

PERIODS = 8
"""Periods of the attention pattern over the width of the layer."""

PATTERN_AMPLITUDE, PATTERN_NOISE = 2.0, 0.2
"""Peak of the pattern, and standard deviation of the noise on it."""

HEADS = 8
"""Heads that the width is cut into."""

MOST_BOOSTED = 3
"""One to three heads are boosted."""

HEAD_AMPLITUDE, HEAD_REST = 2.0, 0.1
"""Standard deviation inside the boosted heads, and elsewhere."""


class TokenFocus:
    """x with a random quarter of the dimensions times 4: those where the noise is largest."""

    name = "token_focus"
    needs_gradient = False

    def perturb(self, x: Vector, noise: Vector, gradient: Vector | None) -> Vector:  # noqa: ARG002
        """Raise the dimensions in focus."""
        focus = np.argsort(noise, kind="stable")[-max(1, len(x) // FOCUS_SHARE) :]
        out = x.copy()
        out[focus] *= FOCUS_GAIN
        return out


class AttentionPattern:
    """A sine of 8 periods with peak 2, and 0.2 n on it; x plays no part."""

    name = "attention_pattern"
    needs_gradient = False

    def perturb(self, x: Vector, noise: Vector, gradient: Vector | None) -> Vector:  # noqa: ARG002
        """Return the pattern with its noise."""
        angle = 2 * np.pi * PERIODS * np.arange(len(x)) / len(x)
        return PATTERN_AMPLITUDE * np.sin(angle) + PATTERN_NOISE * noise


class HeadSpecific:
    """x times 2 inside one to three of eight heads, times 0.1 elsewhere; a head is one of eight equal ranges of dimensions."""

    name = "head_specific"
    needs_gradient = False

    def perturb(self, x: Vector, noise: Vector, gradient: Vector | None) -> Vector:  # noqa: ARG002
        """Scale the heads. The last numbers of the noise say how many are boosted, the order of the first ones which."""
        heads = np.array_split(np.arange(len(x)), min(HEADS, len(x)))
        boosted = 1 + int(np.argmax(noise[-MOST_BOOSTED:]))
        scale = np.full(len(x), HEAD_REST)
        for head in np.argsort(noise[: len(heads)], kind="stable")[:boosted]:
            scale[heads[head]] = HEAD_AMPLITUDE
        return scale * x
