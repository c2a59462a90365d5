"""Many pairs of tensors as one finding, and by role."""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean, median

from tensorguard.lineage.deep.base import Deep, Kind, Overall, RoleSummary, Side, TensorComparison
from tensorguard.lineage.deep.recovered import Recovery
from tensorguard.lineage.deep.wording import sentence
from tensorguard.tensors.weight import Weight


def summarise(
    tensors: Sequence[TensorComparison], alone: Sequence[Weight], alone_second: Sequence[Weight], recovery: Recovery | None
) -> Deep:
    """Sum up a deep comparison: all pairs, what is left of both models, and what was recovered."""
    matrices = [t for t in tensors if ":" not in t.role]
    changed = _by_values([t for t in matrices if t.kind != "identical" and t.layer is not None]) or _by_values(
        [t for t in matrices if t.kind != "identical"]
    )
    kind: Kind = changed[0][0] if changed else "identical" if all(t.kind == "identical" for t in tensors) else "full"
    overall: Overall = kind if tensors else "unrelated"
    if kind == "identical" and (alone or alone_second) and tensors:
        overall = "partial"
    total = sum(t.shape[0] * t.shape[1] for t in matrices)
    return Deep(
        kind=overall,
        made=_made([t for t in matrices if t.kind == kind]),
        sentence=sentence(tensors, _matrices(alone), _matrices(alone_second), recovery),
        share=tuple((each, count / total) for each, count in _by_values(matrices)),
        roles=tuple(_role(role, [t for t in tensors if t.role == role]) for role in dict.fromkeys(t.role for t in tensors)),
        tensors=tuple(tensors),
        unmatched=tuple(weight.name for weight in alone),
        unmatched_second=tuple(weight.name for weight in alone_second),
        recovery=recovery,
    )


def _matrices(weights: Sequence[Weight]) -> int:
    return sum(":" not in weight.role for weight in weights)


def _by_values(tensors: Sequence[TensorComparison]) -> list[tuple[Kind, int]]:
    values = Counter[Kind]()
    for t in tensors:
        values[t.kind] += t.shape[0] * t.shape[1]
    return values.most_common()


def _role(role: str, tensors: Sequence[TensorComparison]) -> RoleSummary:
    ranks = [t.spectrum.rank for t in tensors if t.kind == "low-rank" and t.spectrum and t.spectrum.rank]
    return RoleSummary(
        role=role,
        compared=len(tensors),
        kinds=tuple(Counter(t.kind for t in tensors).most_common()),
        cosine=fmean(t.cosine for t in tensors),
        least=min(t.cosine for t in tensors),
        difference=median(t.difference for t in tensors),
        rank=int(median(ranks)) if ranks else None,
        layers=tuple(t.layer for t in tensors if t.layer is not None and t.kind != "identical"),
    )


def _made(tensors: Sequence[TensorComparison]) -> Side:
    sides = {t.made for t in tensors if t.made}
    return sides.pop() if len(sides) == 1 else ""
