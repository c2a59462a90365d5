"""Independent pairs: are p-values uniform or conservative, and is none called linked?"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.zoo.evaluation.comparing import compare_all
from benchmarks.zoo.manifest import Entry
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.lineage.verdict import Lineage

LINKED = ("identical", "same-weights", "derived", "related", "shares-components")


@dataclass(frozen=True)
class Stranger:
    """An independent pair.

    Attributes:
        first: One model.
        second: The other.
        twins: Their bases differ by nothing but the seed.
        verdict: The verdict.
        log10_p: Corrected, smallest of all tests.
        effect: Largest excess of T.
        p_values: log10 p, uncorrected, by signal, basis and component.
    """

    first: str
    second: str
    twins: bool
    verdict: str
    log10_p: float
    effect: float
    p_values: Mapping[str, float]


def independent(
    entries: Sequence[Entry], prints: Mapping[str, Fingerprint], most: int, workers: int, seed: int = 0
) -> list[Stranger]:
    """Compare pairs without a common base; see `strangers`."""
    chosen = strangers(entries, most, seed)
    return [_stranger(*pair, answer) for pair, answer in zip(chosen, compare_all(chosen, prints, workers), strict=True)]


def strangers(entries: Sequence[Entry], most: int, seed: int = 0) -> list[tuple[str, str]]:
    """Return pairs without a common base: all of bases and students, and a sample of derivatives up to `most` in all."""
    entries = [entry for entry in entries if entry.relation in ("base", "derived", "distilled", "shared-initialisation")]
    shared = {entry.name: entry.shared_with for entry in entries if entry.shared_with}
    origin = {entry.name: _origins(entry, shared) for entry in entries}
    pairs = [(a.name, b.name) for a, b in itertools.combinations(entries, 2) if not origin[a.name] & origin[b.name]]
    derived = {entry.name for entry in entries if entry.relation == "derived"}
    first = [pair for pair in pairs if not derived & set(pair)]
    rest = [pair for pair in pairs if derived & set(pair)]
    # Half of the sample are derivatives of twins: the hardest strangers.
    near = [pair for pair in rest if _twins(*pair)]
    chosen = list(first)
    random = np.random.default_rng(seed)
    for pool in (near, rest):
        count = max(0, min(len(pool), (most - len(first)) // 2))
        chosen += [pool[i] for i in random.choice(len(pool), count, replace=False)] if count else []
    return list(dict.fromkeys(chosen))


def _stranger(first: str, second: str, answer: Lineage) -> Stranger:
    tests = answer.evidence.tests if answer.evidence else ()
    p_values = {f"{t.signal} {t.basis} {t.component}": t.test.log10_p for t in tests}
    return Stranger(first, second, _twins(first, second), answer.verdict, answer.log10_p, answer.effect or 0.0, p_values)


def _origins(entry: Entry, shared: Mapping[str, str]) -> set[str]:
    """Return the bases that a model has anything of, initialisation included."""
    own = set(entry.bases) or {entry.name}
    return own | {shared[name] for name in own if name in shared}


def _twins(first: str, second: str) -> bool:
    """Say whether two models' bases are twins: one letter differs, as in llama-e and llama-f."""
    a, b = (name.split(".")[0] for name in (first, second))
    return a != b and a[:-1] == b[:-1]


def disjoint(pairs: Sequence[Stranger], seed: int = 0) -> list[Stranger]:
    """Choose pairs so that no base occurs twice: their p-values are independent of each other."""
    used: set[str] = set()
    found = []
    for index in np.random.default_rng(seed).permutation(len(pairs)):
        bases = {name.split(".")[0] for name in (pairs[index].first, pairs[index].second)}
        if not bases & used:
            used |= bases
            found.append(pairs[index])
    return found


def calibration(pairs: Sequence[Stranger]) -> dict[str, dict[str, float]]:
    """Return for each test how its p-values lie: counts below levels, and the excess over uniform with the one-sided DKW band (95 %).

    The band holds for independent pairs. It is averaged over disjoint sets of pairs; `largest_excess` must stay below `band`.
    """
    names = sorted({name for pair in pairs for name in pair.p_values})
    sets = [disjoint(pairs, seed) for seed in range(20)]
    found = {}
    for name in names:
        values = np.array([10 ** pair.p_values[name] for pair in pairs if name in pair.p_values])
        excess, sizes = [], []
        for chosen in sets:
            p = np.sort([10 ** pair.p_values[name] for pair in chosen if name in pair.p_values])
            if len(p):
                excess.append(float(np.max(np.arange(1, len(p) + 1) / len(p) - p)))
                sizes.append(len(p))
        found[name] = {
            "pairs": len(values),
            "below_0.05": float((values <= 0.05).mean()),
            "below_0.01": float((values <= 0.01).mean()),
            "below_0.001": float((values <= 0.001).mean()),
            "smallest": float(values.min()),
            "disjoint_pairs": float(np.mean(sizes)),
            "largest_excess": float(np.mean(excess)),
            "band": float(np.sqrt(np.log(1 / 0.05) / (2 * np.mean(sizes)))),
        }
    return found
