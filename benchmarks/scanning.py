"""How long `tensorguard scan` of a model takes against a registry of many: the whole process, and its parts.

    python -m benchmarks.scanning MODEL FINGERPRINTS [--entries 1000] [--rounds 5]

FINGERPRINTS is a folder of `.tgfp` files (`tensorguard fingerprint ZOO/* -o FINGERPRINTS`); if they are fewer than the entries asked
for, some are entered again under other names. Wall-clock seconds, median of the rounds, page cache warm.
"""

import argparse
import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tensorguard.fingerprint.file import SUFFIX, read_fingerprint
from tensorguard.registry.entry import Facts
from tensorguard.registry.registry import Registry


def fill(folder: Path, fingerprints: list[Path], entries: int) -> float:
    """Make a registry; return the seconds that it took."""
    started = time.perf_counter()
    with Registry(folder, create=True) as registry:
        for number, path in zip(range(entries), itertools.cycle(fingerprints), strict=False):
            again = number // len(fingerprints)
            registry.add(read_fingerprint(path), Facts(), name=path.stem + (f" again {again}" if again else ""))
    return time.perf_counter() - started


def timed(command: list[str], rounds: int) -> tuple[float, float]:
    """Return median and smallest seconds of a command."""
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "tensorguard", *command], check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), min(seconds)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scanning", description=str(__doc__).splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("fingerprints", type=Path)
    parser.add_argument("--entries", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    found = sorted(options.fingerprints.glob(f"*{SUFFIX}"))
    with tempfile.TemporaryDirectory() as scratch:
        registry, prints = Path(scratch) / "registry", Path(scratch) / "fingerprints"
        filled = fill(registry, found, options.entries)
        model = str(options.model)
        subprocess.run(
            [sys.executable, "-m", "tensorguard", "fingerprint", model, "-o", str(prints), "-q"],
            check=True,
            capture_output=True,
        )
        stored = str(next(prints.glob(f"*{SUFFIX}")))
        table = Table(
            "what", "median s", "least s", title=f"Scan against {options.entries:,} entries ({filled:.0f} s to enter them)"
        )
        for name, command in (
            ("start alone (--version)", ["--version"]),
            ("fingerprint of the model", ["fingerprint", model, "-o", str(prints), "--force", "-q"]),
            ("scan of its .tgfp", ["scan", stored, "--registry", str(registry), "-q"]),
            ("scan of the model", ["scan", model, "--registry", str(registry), "-q"]),
        ):
            table.add_row(name, *(f"{each:.2f}" for each in timed(command, options.rounds)))
    Console(width=110).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
