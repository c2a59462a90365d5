"""How much of a model has to be read: derivatives and strangers, sampled step by step against whole fingerprints of known models.

    python -m benchmarks.zoo.sampling ZOO [--split evaluation] [--every 1] [--pairs 300] [--json FILE]

Each derivative is sampled as `compare --quick` samples it until it is decided (linked at corrected p < 1e-9, or independent); every
stranger at every step, as if nothing had been decided. The zoo's models are small, so the share of their numbers says little; the steps
say what was needed: rows of 4 blocks, rows of all, attention of 1 block, of 3, of 9.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.zoo.evaluation.fingerprints import base_of, fingerprints
from benchmarks.zoo.evaluation.independent import LINKED, strangers
from benchmarks.zoo.manifest import Entry, default_out, load
from tensorguard.api.fingerprints import Settings
from tensorguard.api.quick import is_decided
from tensorguard.api.sampling import growing_fingerprints
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.lineage.verdict import compare_lineage
from tensorguard.progress import Silent


@dataclass(frozen=True)
class Sampled:
    """A derivative that was sampled until it was decided.

    Attributes:
        name: The derivative.
        kind: What was done.
        step: How many samples it took, 0 if none decided.
        verdict: The last verdict.
        log10_p: Corrected, of the last sample.
    """

    name: str
    kind: str
    step: int
    verdict: str
    log10_p: float


def derivative(out: Path, entry: Entry, known: Fingerprint) -> Sampled:
    """Sample one derivative against its base."""
    answer = None
    for step, sample in enumerate(_samples(out, entry.name), 1):
        answer = compare_lineage(sample, known)
        if is_decided(answer) and answer.verdict in LINKED:
            return Sampled(entry.name, entry.kind, step, answer.verdict, answer.log10_p)
    return Sampled(entry.name, entry.kind, 0, answer.verdict if answer else "none", answer.log10_p if answer else 0.0)


def stranger(out: Path, first: str, known: Fingerprint) -> list[tuple[str, float]]:
    """Return verdict and corrected log10 p of an independent pair after each sample."""
    answers = [compare_lineage(sample, known) for sample in _samples(out, first)]
    return [(answer.verdict, answer.log10_p) for answer in answers]


def _samples(out: Path, name: str) -> Iterator[Fingerprint]:
    return growing_fingerprints(out / name, Settings(base=base_of(out, out / name)), Silent())


def show(found: Sequence[Sampled], apart: Mapping[tuple[str, str], list[tuple[str, float]]]) -> None:
    """Print both tables."""
    console = Console(width=110)
    table = Table("kind", "models", "after rows of 4 blocks", "more rows or blocks", "not decided")
    by_kind = defaultdict(list)
    for each in found:
        by_kind[each.kind].append(each.step)
    for kind, steps in sorted(by_kind.items()):
        table.add_row(kind, *map(str, (len(steps), steps.count(1), sum(step > 1 for step in steps), steps.count(0))))
    console.print(table)
    verdicts = Counter(verdict for answers in apart.values() for verdict, _ in answers)
    smallest = min((p for answers in apart.values() for _, p in answers), default=0.0)
    console.print(f"{len(apart)} independent pairs at every step: {dict(verdicts)}; smallest corrected log10 p {smallest:.1f}")


def main(arguments: list[str] | None = None) -> int:
    """Run it; see the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", nargs="?", type=Path, default=default_out())
    parser.add_argument("--split", default="evaluation")
    parser.add_argument("--every", type=int, default=1, help="take every N-th derivative")
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args(arguments)
    entries = [entry for entry in load(chosen.out) if entry.split == chosen.split]
    prints = fingerprints(chosen.out, entries, chosen.workers)
    derived = [entry for entry in entries if entry.relation == "derived" and entry.bases][:: chosen.every]
    found = [derivative(chosen.out, entry, prints[next(iter(entry.bases))]) for entry in derived]
    apart = {pair: stranger(chosen.out, pair[0], prints[pair[1]]) for pair in strangers(entries, chosen.pairs)}
    show(found, apart)
    if chosen.json:
        rows = [{"first": a, "second": b, "answers": answers} for (a, b), answers in apart.items()]
        chosen.json.write_text(json.dumps({"derivatives": [asdict(each) for each in found], "strangers": rows}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
