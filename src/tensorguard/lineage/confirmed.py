"""What a deep comparison adds to a verdict: disguises that fingerprints cannot see through."""

from dataclasses import replace
from math import log
from statistics import median

from tensorguard.lineage.calibration import ALARM
from tensorguard.lineage.deep.base import Deep
from tensorguard.lineage.kinds import Kind
from tensorguard.lineage.verdict import Lineage
from tensorguard.signals.null_draws import SMALLEST_LOG10_P

_UNDONE = 0.5
"""Median cosine of matrices with a disguise undone from which on they are the same matrices."""


def confirmed(lineage: Lineage, deep: Deep) -> Lineage:
    """Return a verdict that takes into account what reading both models found.

    Where fingerprints find no derivation, but a permutation of the residual stream makes the matrices alike, the models are derived: new
    embeddings together with another residual basis hide from fingerprints. The p-value is that of the permutation, conditional on a
    Haar distribution. Nothing is ever taken back: not every disguise can be undone.
    """
    found = deep.recovery
    if lineage.verdict not in ("independent", "inconclusive", "shares-components") or found is None or not found.roles:
        return lineage
    log10_p = max(SMALLEST_LOG10_P, found.basis.ln_p / log(10))
    alike = median(cosine for _, cosine in found.roles)
    if log10_p > ALARM or alike < _UNDONE:
        return lineage
    reason = f"read value by value, matrices agree (median cosine {alike:.2f}) once undone: {', '.join(found.disguises)}"
    named = (Kind("disguised", None, reason), *(kind for kind in lineage.kinds if kind.name != "disguised"))
    return replace(lineage, verdict="derived", kinds=named, log10_p=log10_p, how="conditional", effect=alike)
