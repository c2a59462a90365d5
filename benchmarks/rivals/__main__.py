"""`python -m benchmarks.rivals ZOO`: this tool's rivals on the zoo and on real models, side by side in one run."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.rivals.base import NotRunError, Rival
from benchmarks.rivals.catalogue import catalogue
from benchmarks.rivals.environment import default_cache
from benchmarks.rivals.pairs import REAL, Pair, limited, models, real_pairs, zoo_pairs
from benchmarks.rivals.summary import Scored, Summary, summarise
from benchmarks.rivals.tables import render


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    available = catalogue(options.environments, options.python)
    names = options.rivals.split(",") if options.rivals else list(available)
    if unknown := [name for name in names if name not in available]:
        sys.exit(f"no such rival: {', '.join(unknown)}; there are {', '.join(available)}")
    pairs = zoo_pairs(options.zoo, options.split) if options.zoo else []
    pairs = limited(pairs, options.limit) if options.limit else pairs
    pairs += real_pairs(options.real, options.environments / "real-models") if options.real else []
    if not pairs:
        sys.exit("nothing to compare: give a folder of the zoo, or real models with --real")
    result: dict[str, Any] = {
        "split": options.split,
        "pairs": len(pairs),
        "models": len(models(pairs)),
        "rivals": {},
        "not_run": {},
    }
    everything: dict[str, dict[str, Summary]] = {}
    for name in names:
        print(f"{name}: {result['models']} models, {len(pairs)} pairs", file=sys.stderr)
        try:
            rival, scored, seconds = _run(available[name], pairs)
        except NotRunError as reason:
            result["not_run"][name] = str(reason)
            continue
        parts = {
            "zoo": [each for each in scored if each[0].group != REAL],
            REAL: [each for each in scored if each[0].group == REAL],
        }
        summaries = {part: summarise(rival, members) for part, members in parts.items() if members}
        for part, summary in summaries.items():
            everything.setdefault(part, {})[name] = summary
        result["rivals"][name] = {
            "seconds": seconds,
            "summaries": {part: summary.as_dict() for part, summary in summaries.items()},
            "scores": [_row(pair, score) for pair, score in scored],
        }
        if options.json:
            # After each rival: what was measured stays if the next one takes the machine down.
            options.json.write_text(json.dumps(_finite(result), indent=1) + "\n", "utf-8")
    for part, summaries in everything.items():
        print(f"\n## {part}\n\n{render(summaries, result['not_run'])}")
    if options.json:
        options.json.write_text(json.dumps(_finite(result), indent=1) + "\n", "utf-8")
    if not everything:
        sys.exit("\n".join(f"{name}: {reason}" for name, reason in result["not_run"].items()))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rivals", description=__doc__)
    parser.add_argument("zoo", nargs="?", type=Path, help="the zoo's folder, see benchmarks.zoo")
    parser.add_argument("--split", choices=("development", "evaluation"), default="evaluation")
    parser.add_argument("--real", type=Path, help="a folder of real models, see benchmarks.real_models")
    parser.add_argument("--rivals", help="which ones, comma-separated; all by default")
    parser.add_argument("--limit", type=int, help="at most so many pairs of the zoo in each group")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every score and every figure")
    parser.add_argument("--environments", type=Path, default=default_cache(), help="where rivals are installed")
    parser.add_argument("--python", type=Path, help="a Python of 3.12 or later, for the rival that needs one")
    return parser.parse_args(arguments)


def _run(make: Callable[[], Rival], pairs: Sequence[Pair]) -> tuple[Rival, Scored, float]:
    began = time.perf_counter()
    rival = make()
    try:
        rival.prepare(models(pairs))
        scored = [(pair, rival.score(pair.a, pair.b)) for pair in pairs]
    finally:
        rival.close()
    return rival, scored, time.perf_counter() - began


def _row(pair: Pair, score: Any) -> dict[str, Any]:
    return {**asdict(pair), "a": pair.a.name, "b": pair.b.name, "truth": pair.linked, **asdict(score)}


def _finite(value: Any) -> Any:
    """JSON has neither NaN nor infinity: null stands for both."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not abs(value) < float("inf") else value


if __name__ == "__main__":
    main()
