"""Evaluate the lineage fingerprint on the zoo.

    python -m benchmarks.zoo.evaluation OUT --split evaluation --json results.json --picture calibration.png

Thresholds were set on the development bases; the evaluation bases are for the report alone.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.zoo.evaluation.fingerprints import fingerprints
from benchmarks.zoo.evaluation.independent import LINKED, Stranger, calibration, independent
from benchmarks.zoo.evaluation.linked import linked, summarised, wilson
from benchmarks.zoo.evaluation.weights import weigh
from benchmarks.zoo.manifest import default_out, load


def evaluate(out: Path, split: str, pairs: int, workers: int) -> tuple[dict[str, Any], list[Stranger]]:
    """Return everything that is measured, ready for JSON, and the independent pairs."""
    entries = [entry for entry in load(out) if entry.split == split]
    prints = fingerprints(out, entries, workers)
    started = time.perf_counter()
    found = linked(entries, prints, workers)
    strangers = independent(entries, prints, pairs, workers)
    merges = weigh(entries, prints)
    special = [entry for entry in entries if entry.relation.startswith("shared-")]
    results = {
        "split": split,
        "models": len(entries),
        "seconds": time.perf_counter() - started,
        "linked": summarised(found, lambda _: "all")[0],
        "kinds": summarised(found, lambda each: each.kind),
        "transformations": summarised(found, lambda each: each.transformation),
        "independent": _independent(strangers),
        "calibration": calibration(strangers),
        "merges": [asdict(each) for each in merges],
        "shared": [_shared(entry.name, entry.shared_with or "", prints) for entry in special],
        "misses": [asdict(each) for each in found if not (each.found and each.kind_right and each.nearest_right)],
        "false_links": [asdict(each) for each in strangers if each.verdict in LINKED],
    }
    return results, strangers


def _independent(strangers: Sequence[Stranger]) -> dict[str, Any]:
    twins = [each for each in strangers if each.twins]
    return {
        "pairs": len(strangers),
        "twins": len(twins),
        "false_links": sum(each.verdict in LINKED for each in strangers),
        "false_links_95": wilson(sum(each.verdict in LINKED for each in strangers), len(strangers)),
        "independent": sum(each.verdict == "independent" for each in strangers),
        "inconclusive": sum(each.verdict == "inconclusive" for each in strangers),
        "smallest_corrected_log10_p": min((each.log10_p for each in strangers), default=0.0),
        "largest_effect": max((each.effect for each in strangers), default=0.0),
        "largest_effect_twins": max((each.effect for each in twins), default=0.0),
    }


def _shared(name: str, other: str, prints: dict[str, Any]) -> dict[str, Any]:
    from tensorguard.lineage.verdict import compare_lineage

    answer = compare_lineage(prints[name], prints[other])
    components = {each.name: each.status for each in answer.components}
    return {"name": name, "with": other, "verdict": answer.verdict, "effect": answer.effect, "components": components}


def draw(strangers: Sequence[Stranger], path: Path) -> None:
    """Draw the p-values of independent pairs against those of uniform ones."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 5), layout="constrained")
    axes = figure.subplots()
    for name in sorted({name for pair in strangers for name in pair.p_values}):
        p = np.sort([10 ** pair.p_values[name] for pair in strangers if name in pair.p_values])
        axes.plot((np.arange(len(p)) + 0.5) / len(p), p, lw=1, label=name)
    axes.plot([1e-3, 1], [1e-3, 1], "k--", lw=1.5, label="uniform")
    axes.set(xscale="log", yscale="log", xlabel="share of independent pairs", ylabel="p-value, uncorrected")
    axes.set_title("Above the dashed line a test is conservative")
    axes.legend(fontsize=6, ncols=2)
    figure.savefig(path, dpi=150)


def main(arguments: list[str] | None = None) -> int:
    """Evaluate, print the tables, write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zoo.evaluation", description=str(__doc__).splitlines()[0])
    parser.add_argument("out", type=Path, nargs="?", default=default_out())
    parser.add_argument("--split", choices=("development", "evaluation"), default="evaluation")
    parser.add_argument("--pairs", type=int, default=1000, help="independent pairs to compare (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--picture", type=Path, metavar="PNG", help="p-values of independent pairs")
    given = parser.parse_args(arguments)
    results, strangers = evaluate(given.out, given.split, given.pairs, given.workers)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    if given.picture:
        draw(strangers, given.picture)
    show(results)
    return 0


def show(results: dict[str, Any]) -> None:
    """Print the tables, in Markdown."""
    for title, rows in (("kind", results["kinds"]), ("transformation", results["transformations"])):
        print(
            f"\n| {title} | pairs | found at p < 1e-6 | by equal values | worst log10 p | least T | kind right | base right |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for row in (*rows, results["linked"]):
            print(
                f"| {row['name']} | {row['pairs']} | {row['found']} | {row['certain']} | {row['worst_log10_p']:.0f} "
                f"| {row['least_effect']:.2f} | {row['kind_right']} | {row['base_right']} |"
            )
    print("\nlinked:", json.dumps(results["linked"]))
    print("independent:", json.dumps(results["independent"]))
    for name, row in results["calibration"].items():
        print(f"{name}: {json.dumps({k: round(v, 4) for k, v in row.items()})}")
    for merge in results["merges"]:
        print(
            f"{merge['name']}: {merge['method']} error {merge['error']:.3f} inside {merge['inside']} curve {merge['curve_error']}"
        )
    for each in (*results["shared"], *results["misses"], *results["false_links"]):
        print(each)


if __name__ == "__main__":
    sys.exit(main())
