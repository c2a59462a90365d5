"""Bytes and seconds to a verdict about models on a server, side by side with modelDNA.

    python -m benchmarks.remote [--sizes 135M,1B,8B,70B] [--commands compare,scan] [--tools quick,modeldna] [--json FILE]

A local hub is reached over a simulated line: a round trip before every answer and two more for a new connection (TCP and TLS 1.3), and
one bandwidth for all connections. TCP's slow start and lost packets are not simulated. 135M is the real SmolLM2-135M-Instruct; larger
models have the shapes, shards and tokenizer's size of published ones and random numbers, made while they are read.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.remote import models, server, tools
from benchmarks.remote.measuring import Bench, Measured
from benchmarks.remote.shapes import SHAPES
from benchmarks.rivals.environment import default_cache as environments
from benchmarks.rivals.environment import environment, this_python
from benchmarks.rivals.modeldna import REQUIREMENT
from benchmarks.wheels import default_cache


def measure(given: argparse.Namespace) -> Iterator[Measured]:
    """Run every tool on every pair, one after the other."""
    console = Console(stderr=True, highlight=False)
    sizes = {size: models.models(size, given.models, given.cache) for size in given.sizes}
    chosen = [_tool(name, given.environments) for name in given.tools]

    def tell(done: Measured) -> None:
        what = " ".join(filter(None, (done.size, done.command, done.relation, done.tool)))
        console.print(f"{what}: {done.answer.verdict}, {done.counts.read / 1e6:.1f} MB, {done.seconds:.1f} s")

    served = [each for those in sizes.values() for each in those.values()]
    with server.serving(served, given.round_trip / 1e3, given.bandwidth * 1e9 / 8) as hub:
        bench = Bench(hub, given.patience, tell)
        for size, those in sizes.items():
            if "compare" in given.commands:
                yield from bench.comparisons(size, those, given.relations, chosen)
            if "scan" in given.commands:
                yield from bench.scans(size, those, given.relations, chosen)


def table(found: list[Measured], given: argparse.Namespace) -> Table:
    """Return what was measured as one table."""
    title = f"{given.round_trip:g} ms, {given.bandwidth:g} Gbit/s"
    drawn = Table(title=title)
    for name in ("model", "command", "suspect", "tool"):
        drawn.add_column(name, no_wrap=True)
    for name in ("read, MB", "of all", "requests", "seconds", "of CPU", "memory, MB"):
        drawn.add_column(name, justify="right", no_wrap=True)
    for name in ("verdict", "sure", ""):
        drawn.add_column(name)
    for number, each in enumerate(found):
        drawn.add_row(
            each.size,
            each.command,
            each.relation,
            each.tool,
            f"{each.counts.read / 1e6:.1f}",
            f"{each.counts.read / each.offered:.3%}",
            str(each.counts.requests),
            f"{each.seconds:.1f}",
            f"{each.computing:.1f}",
            f"{each.memory / 1e6:.0f}",
            each.answer.verdict,
            each.answer.surety,
            each.outcome,
            end_section=number + 1 < len(found) and found[number + 1].size != each.size,
        )
    return drawn


def _tool(name: str, folder: Path) -> tools.Tool:
    if name == "modeldna":
        return tools.modeldna(environment(REQUIREMENT, this_python(), folder))
    return tools.ours("tensorguard" if name == "quick" else "tensorguard --full", f"--{name}")


def _listed(text: str) -> list[str]:
    return text.split(",")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.remote", description=str(__doc__).splitlines()[0])
    parser.add_argument("--sizes", type=_listed, default=list(SHAPES))
    parser.add_argument("--relations", type=_listed, default=list(models.RELATIONS))
    parser.add_argument("--tools", type=_listed, default=["quick", "modeldna"], help="of quick, full and modeldna")
    parser.add_argument("--commands", type=_listed, default=["compare"], help="of compare and scan")
    parser.add_argument("--round-trip", type=float, default=20.0, help="milliseconds")
    parser.add_argument("--bandwidth", type=float, default=1.0, help="Gbit/s")
    parser.add_argument("--patience", type=float, default=900.0, help="seconds that a command may take")
    parser.add_argument(
        "--models", type=Path, default=default_cache().parent / "models", help="where the real model is, or is made"
    )
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where wheels are kept")
    parser.add_argument("--environments", type=Path, default=environments(), help="where modelDNA is installed")
    parser.add_argument("--json", type=Path, help="write everything that was measured here")
    given = parser.parse_args(arguments)
    found = list(measure(given))
    Console(width=max(180, Console().width)).print(table(found, given))
    if given.json:
        given.json.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
