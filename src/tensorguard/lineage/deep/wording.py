"""A deep comparison in one sentence."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from tensorguard.lineage.deep.base import Side, TensorComparison
from tensorguard.lineage.deep.recovered import Recovery

_WHERE: dict[Side, str] = {"first": " in the first model", "second": " in the second model", "": ""}
_MOST_CLAUSES = 3


def sentence(tensors: Sequence[TensorComparison], alone: int, alone_second: int, recovery: Recovery | None) -> str:
    """Say what differs and how (at most three kinds, those of most values first), what has no partner, what disguise was undone."""
    counts = [f"{n} of the {side}" for n, side in ((alone, "first"), (alone_second, "second")) if n]
    missing = f"; {' and '.join(counts)} model's matrices have no partner" if counts else ""
    return _differences(tensors) + missing + _undone(recovery)


def _differences(tensors: Sequence[TensorComparison]) -> str:
    matrices = [t for t in tensors if ":" not in t.role]
    changed = [t for t in matrices if t.kind != "identical"]
    if not tensors:
        return "no tensor of one model has a partner in the other"
    if not changed:
        vectors = any(t.kind != "identical" for t in tensors)
        return "all compared matrices are equal; norms or biases differ" if vectors else "every compared tensor is equal"
    values: Counter[str] = Counter()
    for t in changed:
        values[t.kind] += t.shape[0] * t.shape[1]
    kinds = [kind for kind, _ in values.most_common(_MOST_CLAUSES)]
    text = "; ".join(_clause([t for t in changed if t.kind == kind], matrices) for kind in kinds)
    if len(changed) == len(matrices):
        return text
    return f"only {text}" if len(kinds) == 1 else f"{text}; the rest is equal"


def _clause(tensors: Sequence[TensorComparison], matrices: Sequence[TensorComparison]) -> str:
    kind = tensors[0].kind
    roles = list(dict.fromkeys(t.role for t in tensors))
    whole = len(tensors) == len(matrices)
    subject = "all matrices" if whole else _words(roles)
    sides = {t.made for t in tensors}
    where = _WHERE[sides.pop()] if len(sides) == 1 else ""
    if kind == "low-rank":
        ranks = sorted(t.spectrum.rank for t in tensors if t.spectrum and t.spectrum.rank)
        rank = f"rank {ranks[0]}" if ranks[0] == ranks[-1] else f"ranks {ranks[0]} to {ranks[-1]}"
        return f"{subject} changed by {rank}{where}"
    if kind == "full":
        return f"{subject} changed in all directions (median relative difference {median(t.difference for t in tensors):.2g})"
    if kind == "unrelated":
        return f"{subject} {_are(subject, roles)} unrelated as stored"
    detail = Counter(t.detail for t in tensors).most_common(1)[0][0]
    words = {"cast": f"rounded to {detail}", "quantised": f"quantised ({detail})", "scaled": f"rescaled ({detail})"}
    return f"{subject} {_are(subject, roles)} {words.get(kind, kind)}{where}"


def _undone(recovery: Recovery | None) -> str:
    if recovery is None or not recovery.disguises:
        return ""
    found = _words(list(recovery.disguises))
    least = min((cosine for _, cosine in recovery.roles), default=0.0)
    most = max((cosine for _, cosine in recovery.roles), default=0.0)
    return f"; allowing for {found}, cosines are {least:.2f} to {most:.2f}"


def _are(subject: str, roles: Sequence[str]) -> str:
    return "are" if len(roles) > 1 or subject == "all matrices" else "is"


def _words(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
