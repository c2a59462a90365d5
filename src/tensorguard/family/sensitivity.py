"""What the sensitivity scores of one model say: z-scores, extremes, variances, attention against the rest (paper, RQ2)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.fingerprint.sensitivity import MIXTURE, SCORES, LayerScores, Sensitivity

_CONSTANT = 1e-9
"""Scores whose standard deviation is below this share of their mean count as equal: the rest is rounding."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A layer among the most or least sensitive ones.

    Attributes:
        name: The stored tensor's own name; untrusted text.
        role: Its role.
        layer: Block index, or None.
        value: The score, averaged over the repeats.
        z: Its z-score among the layers of the model.
    """

    name: str
    role: str
    layer: int | None
    value: float
    z: float


@dataclass(frozen=True, slots=True)
class StrategyFindings:
    """One score under one strategy, over the layers.

    Attributes:
        z: Z-score of every layer, in the order of the layers (population over the layers; all 0 if they are equal).
        top: The most sensitive layers, the strongest first; ties in canonical order.
        bottom: The least sensitive ones, the weakest first.
        variance: Variance of the layers' means (population).
        spread: Variance over the repeats, averaged over the layers.
        mixture_ratio: Variance under the mixture divided by this one; None if this one is 0.
        attention: Mean over the attention layers; None if there are none.
        other: Mean over all other layers; None if there are none.
    """

    z: tuple[float, ...]
    top: tuple[Ranked, ...]
    bottom: tuple[Ranked, ...]
    variance: float
    spread: float
    mixture_ratio: float | None
    attention: float | None
    other: float | None

    @property
    def attention_ratio(self) -> float | None:
        """Mean over the attention layers divided by that over the others; None where it is undefined."""
        return self.attention / self.other if self.attention is not None and self.other else None


@dataclass(frozen=True, slots=True)
class SensitivityAnalysis:
    """One model's scores and what follows from them.

    Attributes:
        measured: The scores.
        findings: Score -> strategy -> findings.
    """

    measured: Sensitivity
    findings: Mapping[str, Mapping[str, StrategyFindings]]


def analyse(measured: Sensitivity, top: int = 5) -> SensitivityAnalysis:
    """Analyse one model's scores.

    Args:
        measured: The scores.
        top: How many layers to list at each end.
    """
    findings = {}
    for score in SCORES:
        baseline = float(np.var(_means(measured, MIXTURE, score)))
        findings[score] = {name: _findings(measured, name, score, top, baseline) for name in measured.strategies}
    return SensitivityAnalysis(measured, findings)


def z_scores(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (v - mean) / std, population, float64 of the same shape; zeros if all values are equal."""
    std = float(values.std())
    if std <= _CONSTANT * abs(float(values.mean())):
        return np.zeros_like(values)
    z: NDArray[np.float64] = (values - values.mean()) / std
    return z


def _means(measured: Sensitivity, strategy: str, score: str) -> NDArray[np.float64]:
    return np.array([layer.scores[strategy][score].mean for layer in measured.layers])


def _findings(measured: Sensitivity, strategy: str, score: str, top: int, baseline: float) -> StrategyFindings:
    values = _means(measured, strategy, score)
    z = z_scores(values)
    ranked = [_ranked(layer, *pair) for layer, *pair in zip(measured.layers, values.tolist(), z.tolist(), strict=True)]
    variance = float(values.var()) if z.any() else 0.0
    return StrategyFindings(
        z=tuple(z.tolist()),
        top=tuple(sorted(ranked, key=lambda layer: -layer.value)[:top]),
        bottom=tuple(sorted(ranked, key=lambda layer: layer.value)[:top]),
        variance=variance,
        spread=float(np.mean([layer.scores[strategy][score].std ** 2 for layer in measured.layers])),
        mixture_ratio=baseline / variance if variance else None,
        attention=_mean_where(values, [layer.category == "attention" for layer in measured.layers]),
        other=_mean_where(values, [layer.category != "attention" for layer in measured.layers]),
    )


def _ranked(layer: LayerScores, value: float, z: float) -> Ranked:
    return Ranked(layer.name, layer.role, layer.layer, value, z)


def _mean_where(values: NDArray[np.float64], members: list[bool]) -> float | None:
    return float(values[members].mean()) if any(members) else None
