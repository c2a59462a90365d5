"""The pictures of one pair's evidence."""

from functools import partial

from tensorguard.lineage.pair import Pair
from tensorguard.reports.document import Picture

_EVIDENCE = (
    "Every block of one model against every block of the other, by what it does to the residual stream: rings are blocks that were "
    "found in the other model, crosses the pairs that were compared. A ridge is the same blocks, a flat glow only one residual basis."
)
_PROFILE = "Matrices in the same place, compared in the fixed basis: cosine and relative difference. A disguise hides what is alike here."
_DEEP = "Relative difference of each two matrices, read in full: pale where they are equal."


def pictures(pair: Pair) -> list[Picture]:
    """Return the pictures of what was found."""
    found, made = pair.lineage.evidence, []
    if found is not None and found.similarity:
        made.append(Picture("evidence", _EVIDENCE, partial(_evidence, pair)))
    if found is not None and found.matrices:
        made.append(Picture("profile", _PROFILE, partial(_profile, pair)))
    if pair.deep is not None and any(each.layer is not None for each in pair.deep.tensors):
        made.append(Picture("deep", _DEEP, partial(_deep, pair)))
    return made


def _evidence(pair: Pair) -> object:
    from tensorguard.reports.figures.evidence import draw_evidence

    return draw_evidence(pair)


def _profile(pair: Pair) -> object:
    from tensorguard.reports.figures.profile import draw_profile

    return draw_profile(pair)


def _deep(pair: Pair) -> object:
    from tensorguard.reports.figures.profile import draw_deep

    return draw_deep(pair)
