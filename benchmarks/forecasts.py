"""What `doctor` forecasts against what `tensorguard fingerprint` then takes, side by side.

    python -m benchmarks.forecasts MODEL... [--rounds 3]

Each round drops the model from the cache, fingerprints it in a fresh process, and once more with the files cached. Medians; the ratio is
forecast over measured. Forecasts are for a machine with nothing else to do: `given` is the share of the processors' time that was to be had
while they were made.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tensorguard.api.doctor import diagnose
from tensorguard.api.models import open_model
from tensorguard.diagnosis.base import Forecast


def fingerprinted(model: Path) -> float:
    """Return the seconds of a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tensorguard", "fingerprint", str(model), "-o", folder, "--quiet"]
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started


def forget(model: Path) -> None:
    """Drop a model's files from the cache."""
    os.sync()
    for name in {info.source.name for info in open_model(model).stored}:
        descriptor = os.open(name, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def measure(model: Path, rounds: int) -> tuple[Forecast, float, float, float]:
    """Return the forecast, the share of processors' time that was given, and the seconds cold and cached."""
    found = diagnose(model)
    cold, warm = [], []
    for _ in range(rounds):
        forget(model)
        cold.append(fingerprinted(model))
        warm.append(fingerprinted(model))
    return found.forecasts[0], found.work.given, statistics.median(cold), statistics.median(warm)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecasts", description=str(__doc__).splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    table = Table("model", "GB", "given", "cached: forecast s", "took s", "ratio", "from disk: forecast s", "took s", "ratio")
    for model in options.models:
        told, given, cold, warm = measure(model, options.rounds)
        row = [
            model.name,
            f"{told.bytes / 1e9:.2f}",
            f"{given:.0%}",
            f"{told.warm:.2f}",
            f"{warm:.2f}",
            f"{told.warm / warm:.2f}",
        ]
        disk = ["", f"{cold:.2f}", ""] if told.cold is None else [f"{told.cold:.2f}", f"{cold:.2f}", f"{told.cold / cold:.2f}"]
        table.add_row(*row, *disk)
    Console(width=140).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
