"""`python -m benchmarks.fuzz [--parser NAME] [--executions N]`: all parsers one after the other, and a table of what came of it."""

import argparse
import os
from pathlib import Path

from benchmarks.fuzz import seeds
from benchmarks.fuzz.catalogue import HARNESSES
from benchmarks.fuzz.running import Result, fuzz


def main() -> None:
    """Fuzz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parser", action="append", choices=[each.name for each in HARNESSES], help="by default all")
    parser.add_argument("--executions", type=int, default=30_000, help="of each parser; of slow ones a part")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=seeds.CACHE, help="where corpora and findings are kept")
    parser.add_argument("--cut", type=Path, help="take headers of the models in this folder into the corpora, and end")
    chosen = parser.parse_args()
    if chosen.cut:
        print(f"{seeds.cut(chosen.cut, seeds.REAL)} headers in {seeds.REAL}")
        return
    os.nice(max(0, 10 - os.nice(0)))
    _row(
        "parser",
        "executions",
        "in all",
        "accepted",
        "edges",
        "features",
        "corpus",
        "exec/s",
        "slowest s",
        "peak MB",
        "findings",
    )
    results = []
    for harness in HARNESSES:
        if not chosen.parser or harness.name in chosen.parser:
            results.append(fuzz(harness, max(40, round(chosen.executions * harness.share)), chosen.seed, chosen.cache))
            _tell(results[-1])
    _tell(Result.of_all(results))


def _tell(r: Result) -> None:
    rate = f"{r.executions / r.seconds:.0f}" if r.seconds else ""
    costs = (rate, f"{r.slowest:.2f}", f"{r.peak / 1e6:.1f}", ", ".join(r.findings) or "none")
    _row(r.parser, r.executions, r.ever, r.accepted, r.edges, r.features, r.corpus, *costs)


def _row(*cells: object) -> None:
    print("".join(f"{cell!s:<15}" if not at else f"{cell!s:>10}" for at, cell in enumerate(cells)), flush=True)


if __name__ == "__main__":
    main()
