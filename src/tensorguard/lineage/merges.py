"""Which models of a set are merges of others.

In an affine relation between models, sum_i a_i m_i = 0 with sum_i a_i = 0, any of them can be written as a sum of the others. The
merge is the one with the largest coefficient: written as a sum, all weights of its parents are below 1 in size. With many merges of
the same parents much else can be written so, too; sums of positive weights (points inside the convex hull) are therefore told first.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tensorguard.fingerprint.sketches import Sketches
from tensorguard.lineage import regression
from tensorguard.lineage.matching import match
from tensorguard.lineage.mixture import LINEAR, Mixture, mixture

LARGEST = 0.98
"""Weight of a parent below which a sum is the merge of its parents and not the reverse."""

WHOLE = 1.02
"""Weight that a parent may have in a single block."""

EXACT = 0.99
"""Share of the difference that a sum with negative weights has to explain: with enough models such sums come near anything."""


def mixtures(models: Mapping[str, Sketches], near: Mapping[int, Sequence[int]]) -> dict[int, Mixture]:
    """Return what models are made of: merges of what is no merge itself, and if there are any, all others of anything.

    Args:
        models: The models.
        near: For each model, by its number, what it may be made of, closest first.
    """
    names = list(models)
    inner: set[int] = set()
    for lowest, least in ((0.0, LINEAR), (-LARGEST, EXACT)):
        corners = set(near) - inner
        inner |= {
            child for child in corners if _left(models, child, [at for at in near[child] if at in corners], lowest) < 1 - least
        }

    def made(child: int, others: Sequence[int]) -> Mixture | None:
        candidates = {names[other]: models[names[other]] for other in others}
        return mixture(models[names[child]], candidates) if candidates else None

    found = {child: made(child, [at for at in near[child] if at not in inner]) for child in sorted(inner)}
    merges = {child for child, each in found.items() if each is not None and is_merge(each)}
    if merges:
        found |= {child: made(child, near[child]) for child in near if child not in merges}
    return {child: each for child, each in found.items() if each is not None}


def is_merge(made: Mixture) -> bool:
    """Return whether a model is the merge in an affine relation with others.

    A base looks like the mean of its k fine-tunes, too, but that explains no more than 1 - 1/k.
    """
    if len(made.parents) < 2:
        return False
    if made.method == "passthrough":
        return True
    small = all(abs(each.weight) < LARGEST for each in made.parents)
    small = small and all(abs(each.weight) < WHOLE for part in made.layers if part.part == "all" for each in part.weights)
    return made.method == "linear" and small and made.varied > 1.0 - 0.3 / len(made.parents)


def _left(models: Mapping[str, Sketches], child: int, others: Sequence[int], lowest: float) -> float:
    """Return which share of a model's difference to the closest other a sum with bounded weights leaves, block by block."""
    names = list(models)
    model, near = models[names[child]], {names[at]: models[names[at]] for at in others}
    matching = match(model, near, None)
    if len(matching.names) < 2 or not matching.rows:
        return 0.0 if near else 1.0  # Blocks may have moved.
    found = regression.equations(model, {name: near[name] for name in matching.names}, matching.rows)
    whole = found.gram.sum(axis=(0, 1))
    before = min(float(regression.residual(whole, [at], np.ones(1))) for at in range(len(matching.names)))
    left = sum(regression.bounded(gram, lowest, LARGEST) for gram in found.gram.sum(axis=1))
    return left / before if before > regression.floor(len(matching.rows)) else 1.0
