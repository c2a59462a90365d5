"""How long the fingerprints of many models take on many machines, and what they cost: a simulation from measured figures.

    python -m benchmarks.fleet [--seconds-per-gb 3.5] [--models 10000 100000 2000000] [--machines 1 10 100] [--storage 100] [--price 1]

Only `--seconds-per-gb` is measured, on the machine at hand: `python -m benchmarks.performance` prints processor
seconds per GB. Everything else is an assumption that is printed with the table and can be changed by an option.
"""

import argparse
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.fleet.simulation import Fleet, Run
from benchmarks.fleet.sizes import KNOWN_GB, drawn, from_catalogue

_COLUMNS = ("models", "machines", "TB", "days", "models/h", "processors used", "held back by", "machine hours / 1,000", "cost / 1,000",
            "attempts lost", "machines lost")  # fmt: skip


def bound(fleet: Fleet) -> str:
    """Return what a fleet that is busy waits for."""
    places = fleet.machines * fleet.processors
    speeds = {
        "processors": places / fleet.seconds_per_gb,
        "their network": fleet.machines * fleet.network,
        "the storage": fleet.storage,
    }
    return min(speeds, key=lambda name: speeds[name])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=str(__doc__).splitlines()[0])
    parser.add_argument("--models", type=int, nargs="+", default=[10_000, 100_000, 2_000_000])
    parser.add_argument("--machines", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument(
        "--catalogue", type=Path, help="draw sizes from this table of configurations instead of the one that is built in"
    )
    parser.add_argument("--price", type=float, default=1.0, help="of one machine for an hour, in any currency")
    parser.add_argument("--seed", type=int, default=0)
    asked = [each for each in fields(Fleet) if each.name != "machines"]
    for each in asked:
        parser.add_argument(f"--{each.name.replace('_', '-')}", type=type(each.default), default=each.default)
    options = parser.parse_args(arguments)
    known = from_catalogue(options.catalogue) if options.catalogue else KNOWN_GB
    assumed = Fleet(1, **{each.name: getattr(options, each.name) for each in asked})
    table = Table(*_COLUMNS, title="Full fingerprints of many models on many machines (simulated)")
    for count in options.models:
        sizes = drawn(count, known, options.seed)
        for machines in options.machines:
            fleet = replace(assumed, machines=machines)
            found = Run(fleet, sizes, options.seed).result()
            hours = found.hours * machines / count * 1000
            table.add_row(
                f"{count:,}", f"{machines:,}", f"{np.sum(sizes) / 1000:,.0f}", f"{found.hours / 24:,.2f}", f"{count / found.hours:,.0f}",
                f"{found.used:.0%}", bound(fleet), f"{hours:,.2f}", f"{hours * options.price:,.2f}",
                f"{found.attempts_lost:,}", f"{found.machines_lost:,}",
            )  # fmt: skip
            print(f"{count:,} models on {machines:,} machines: done", file=sys.stderr, flush=True)
    console = Console(width=170)
    console.print(table)
    at = np.quantile(known, [0.05, 0.25, 0.5, 0.75, 0.95])
    console.print(
        f"Sizes in GB: {', '.join(f'{each:.1f}' for each in at)} at 5, 25, 50, 75 and 95 %, mean {np.mean(drawn(100_000, known, 1)):.1f}."
    )
    console.print(
        ", ".join(f"{each.name} {getattr(assumed, each.name):g}" for each in asked) + f", price {options.price:g} an hour."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
