"""One rival's figures over all pairs of a run."""

import math
import statistics
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.rivals.base import Rival, Score
from benchmarks.rivals.pairs import DERIVED, TWINS, Pair
from benchmarks.rivals.scoring import auc, bootstrap_auc, found_without_false_links, wilson

Scored = list[tuple[Pair, Score]]
FEWEST_BASES = 5


@dataclass(frozen=True)
class Rate:
    """A share of pairs, with its 95 % interval."""

    of: int
    count: int

    def as_dict(self) -> dict[str, Any]:
        low, high = wilson(self.count, self.of)
        return {"count": self.count, "of": self.of, "rate": self.count / self.of if self.of else None, "interval": [low, high]}


@dataclass(frozen=True)
class Summary:
    """What a rival did. Pairs without a right answer are in `by_group` only; an abstention is never a link.

    Attributes:
        auc: Linked against unlinked; NaN where the run has none of either.
        auc_interval: By bootstrap over bases; NaN where there are fewer than `FEWEST_BASES`, which say nothing of others.
        threshold: The largest score of an unlinked pair.
        found: Linked pairs that score above `threshold`.
        twin_threshold: The largest score among twins and their derivatives.
        found_above_twins: Linked pairs that score above `twin_threshold`; of none, where the run has no twins.
        own_found: Linked pairs called linked by the rival's own threshold; None if it has none.
        own_false: Unlinked pairs called linked by it.
        by_transformation: Of each transformation's pairs with its base: above `threshold`, and by the rival's own threshold.
        by_group: For each group of pairs: called linked by the own threshold, the median and the largest score.
        abstained: Pairs without a score, linked and unlinked.
        reasons: Why, the most frequent first.
    """

    auc: float
    auc_interval: tuple[float, float]
    threshold: float
    found: Rate
    twin_threshold: float
    found_above_twins: Rate
    own_found: Rate | None
    own_false: Rate | None
    by_transformation: dict[str, dict[str, Any]]
    by_group: dict[str, dict[str, Any]]
    abstained: dict[str, Rate]
    reasons: dict[str, int]
    costs: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), **_rates(self)}


def summarise(rival: Rival, scored: Scored) -> Summary:
    """Compute the figures from each pair's score."""
    known = [(pair, score) for pair, score in scored if pair.linked is not None]
    linked = [bool(pair.linked) for pair, _ in known]
    values = [_value(score) for _, score in known]
    threshold, above, positives = found_without_false_links(values, linked)
    near = [at for at, (pair, _) in enumerate(known) if pair.linked or pair.group in TWINS]
    twin_threshold, above_twins, _ = found_without_false_links([values[i] for i in near], [linked[i] for i in near])
    has_twins = any(pair.group in TWINS for pair, _ in known)
    decides = any(score.linked is not None for _, score in scored)
    return Summary(
        auc=auc(values, linked),
        auc_interval=_interval(values, linked, [pair.bases for pair, _ in known]),
        threshold=threshold,
        found=Rate(positives, above),
        twin_threshold=twin_threshold,
        found_above_twins=Rate(positives, above_twins) if has_twins else Rate(0, 0),
        own_found=_called([each for each in known if each[0].linked]) if decides else None,
        own_false=_called([each for each in known if not each[0].linked]) if decides else None,
        by_transformation=_by_transformation(known, threshold, decides),
        by_group=_by_group(scored, decides),
        abstained={
            "linked": _abstained([each for each in known if each[0].linked]),
            "unlinked": _abstained([each for each in known if not each[0].linked]),
        },
        reasons=_reasons(scored),
        costs=_costs(rival, scored),
    )


def _interval(values: list[float], linked: list[bool], bases: list[tuple[str, ...]]) -> tuple[float, float]:
    enough = len({base for each in bases for base in each}) >= FEWEST_BASES
    return bootstrap_auc(values, linked, bases) if enough else (math.nan, math.nan)


def _value(score: Score) -> float:
    return -math.inf if score.abstained else score.score


def _called(scored: Scored) -> Rate:
    return Rate(len(scored), sum(bool(score.linked) for _, score in scored))


def _abstained(scored: Scored) -> Rate:
    return Rate(len(scored), sum(score.abstained for _, score in scored))


def _by_transformation(scored: Scored, threshold: float, decides: bool) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name in sorted({pair.transformation for pair, _ in scored if pair.group == DERIVED}):
        members = [each for each in scored if each[0].group == DERIVED and each[0].transformation == name]
        found[name] = {
            "found": Rate(len(members), sum(_value(score) > threshold for _, score in members)).as_dict(),
            "own": _called(members).as_dict() if decides else None,
            "abstained": _abstained(members).count,
        }
    return found


def _by_group(scored: Scored, decides: bool) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(pair.group for pair, _ in scored):
        members = [each for each in scored if each[0].group == name]
        values = [score.score for _, score in members if not score.abstained]
        found[name] = {
            "pairs": len(members),
            "own": _called(members).as_dict() if decides else None,
            "abstained": _abstained(members).count,
            "median": statistics.median(values) if values else None,
            "largest": max(values) if values else None,
        }
    return found


def _reasons(scored: Scored) -> dict[str, int]:
    """Counted without the model's name, which stands before the first colon."""
    counts: dict[str, int] = {}
    for _, score in scored:
        if score.abstained:
            reason = score.note.partition(": ")[2] or score.note
            counts[reason[:200]] = counts.get(reason[:200], 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1])[:10])


def _costs(rival: Rival, scored: Scored) -> dict[str, float]:
    made = [cost for cost in rival.costs.values() if not cost.failure]
    usage = rival.usage()
    compared = [score.seconds for _, score in scored if not score.abstained]
    return {
        "models": len(rival.costs),
        "models_failed": len(rival.costs) - len(made),
        "seconds_per_model": statistics.median([cost.seconds for cost in made]) if made else math.nan,
        "seconds_all_models": sum(cost.seconds for cost in rival.costs.values()),
        "seconds_per_pair": statistics.median(compared) if compared else math.nan,
        "bytes_per_model": statistics.median([cost.size for cost in made]) if made else math.nan,
        "seconds_start_up": usage.start_up,
        "memory_at_start": usage.memory_at_start,
        "peak_memory": usage.peak_memory,
    }


def _rates(summary: Summary) -> dict[str, Any]:
    return {
        "found": summary.found.as_dict(),
        "found_above_twins": summary.found_above_twins.as_dict(),
        "own_found": summary.own_found and summary.own_found.as_dict(),
        "own_false": summary.own_false and summary.own_false.as_dict(),
        "abstained": {name: rate.as_dict() for name, rate in summary.abstained.items()},
    }
