"""The sensitivity of several models side by side: by role and layer, and by relative depth."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import UsageError, quote
from tensorguard.family.sensitivity import SensitivityAnalysis
from tensorguard.fingerprint.sensitivity import MIXTURE, ROLES, SCORES

DEPTHS = 21
"""Relative depths 0, 0.05, ... 1 at which models of different depth are compared."""

_SAME_PLACE = {"fc_in": "up", "fc_out": "down"}
"""An MLP without a gate: its matrices stand where a gated one has these."""

_FEWEST = 3
"""A correlation over fewer places says nothing."""


@dataclass(frozen=True, slots=True)
class Place:
    """One role in one layer, or at one relative depth.

    Attributes:
        role: The role; fc_in counts as up and fc_out as down.
        at: Layer index, or relative depth from 0 (first block) to 1 (last).
        z: Z-score in each model, averaged over experts and towers; None where a model has no such weight.
    """

    role: str
    at: float
    z: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike two models are.

    Attributes:
        first: Index of one model.
        second: Index of the other.
        by_layer: Pearson correlation of the z-scores over the places (role, layer) that both have; None over fewer than three.
        by_depth: The same over (role, relative depth).
        places: How many places (role, layer) both have.
    """

    first: int
    second: int
    by_layer: float | None
    by_depth: float | None
    places: int


@dataclass(frozen=True, slots=True)
class SensitivityComparison:
    """Several models under one strategy and score.

    Attributes:
        models: Their names.
        strategy: The strategy compared.
        score: The score compared.
        layers: Every (role, layer) that some model has, by role and then layer.
        depths: Every role at each of 21 relative depths, linear between layers, None outside the layers asked.
        agreements: Every pair of models.
    """

    models: tuple[str, ...]
    strategy: str
    score: str
    layers: tuple[Place, ...]
    depths: tuple[Place, ...]
    agreements: tuple[Agreement, ...]


def compare_sensitivity(
    analyses: Sequence[SensitivityAnalysis], strategy: str = MIXTURE, score: str = "gain"
) -> SensitivityComparison:
    """Align models by (role, layer) and by (role, relative depth), and correlate their z-scores.

    Args:
        analyses: At least two models, asked with the same seed and repeats.
        strategy: A strategy that all were asked.
        score: One of `SCORES`.

    Raises:
        UsageError: There are fewer than two models, they were not asked the same, or not this strategy, or there is no such score.
    """
    if len(analyses) < 2:
        raise UsageError("a comparison needs at least two models")
    asked = {(a.measured.settings.seed, a.measured.settings.repeats) for a in analyses}
    if len(asked) > 1:
        raise UsageError("the models were not asked the same inputs", hint="use one seed and one number of repeats")
    if score not in SCORES:
        raise UsageError(f"no score is called {quote(score)}", hint=f"one of: {', '.join(SCORES)}")
    if any(strategy not in a.findings[score] for a in analyses):
        known = ", ".join(analyses[0].measured.strategies)
        raise UsageError(f"strategy {quote(strategy)} was not asked", hint=f"one of: {known}; more with --attention")
    tables = [_by_place(analysis, strategy, score) for analysis in analyses]
    profiles = [_by_depth(table, a.measured.blocks) for table, a in zip(tables, analyses, strict=True)]
    return SensitivityComparison(
        models=tuple(a.measured.name for a in analyses),
        strategy=strategy,
        score=score,
        layers=_aligned(tables),
        depths=_aligned(profiles),
        agreements=tuple(
            Agreement(
                first,
                second,
                _correlation(tables[first], tables[second]),
                _correlation(profiles[first], profiles[second]),
                len(tables[first].keys() & tables[second].keys()),
            )
            for first, second in itertools.combinations(range(len(analyses)), 2)
        ),
    )


_Table = dict[tuple[str, float], float]


def _by_place(analysis: SensitivityAnalysis, strategy: str, score: str) -> _Table:
    found: dict[tuple[str, float], list[float]] = {}
    for layer, z in zip(analysis.measured.layers, analysis.findings[score][strategy].z, strict=True):
        if layer.layer is not None:
            found.setdefault((_SAME_PLACE.get(layer.role, layer.role), float(layer.layer)), []).append(z)
    return {place: float(np.mean(values)) for place, values in found.items()}


def _by_depth(table: _Table, blocks: int) -> _Table:
    """Return z-scores on the grid of relative depths, of the roles that a model has."""
    grid: NDArray[np.float64] = np.arange(DEPTHS) / (DEPTHS - 1)
    profile: _Table = {}
    for role in {role for role, _ in table}:
        layers = sorted(at for found, at in table if found == role)
        depths = np.array(layers) / max(1, blocks - 1)
        values = np.interp(grid, depths, [table[role, at] for at in layers], left=np.nan, right=np.nan)
        profile |= {(role, float(at)): float(z) for at, z in zip(grid, values, strict=True) if not np.isnan(z)}
    return profile


def _aligned(tables: Sequence[_Table]) -> tuple[Place, ...]:
    order = {role: index for index, role in enumerate(ROLES)}
    places = sorted(set().union(*tables), key=lambda place: (order.get(place[0], len(order)), *place))
    return tuple(Place(role, at, tuple(table.get((role, at)) for table in tables)) for role, at in places)


def _correlation(first: _Table, second: _Table) -> float | None:
    shared = sorted(first.keys() & second.keys())
    a, b = (np.array([table[place] for place in shared]) for table in (first, second))
    if len(shared) < _FEWEST or a.std() == 0 or b.std() == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])
