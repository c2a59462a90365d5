"""How long `tensorguard compare` of two fingerprints takes: reading the files, all but the null draws, the draws; and a first look.

    python -m benchmarks.comparing [--folder DIR] [--rounds 9]

Of two synthetic Llamas of 32 blocks (what is compared does not depend on their width), unrelated, and of one with itself. CPU seconds,
BLAS on one thread.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

import tensorguard
from benchmarks import synthetic
from tensorguard.fingerprint.file import read_fingerprint, write_fingerprint
from tensorguard.lineage import operator_tests
from tensorguard.lineage.screening import Screen
from tensorguard.lineage.verdict import compare_lineage

SIZE = 0.82
"""GB of a synthetic model 1024 wide with 32 blocks."""


class Draws:
    """Times the loops over null draws: from when the first is asked for until there are no more."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._draws = operator_tests.null_means

    def __call__(self, *arguments: Any) -> Iterator[Any]:
        started = time.process_time()
        yield from self._draws(*arguments)
        self.seconds += time.process_time() - started


def once(first: Path, second: Path) -> tuple[float, float, float, float]:
    """Return CPU seconds of reading, of comparing without the draws, of the draws, and of a first look among many (`screening`)."""
    started = time.process_time()
    a, b = read_fingerprint(first), read_fingerprint(second)
    read = time.process_time()
    with patch.object(operator_tests, "null_means", Draws()) as draws:
        compare_lineage(a, b)
    compared = time.process_time()
    assert a.sketches
    assert b.sketches
    look = Screen(a.sketches)
    ready = time.process_time()
    look(b.sketches)
    return read - started, compared - read - draws.seconds, draws.seconds, time.process_time() - ready


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.comparing", description=str(__doc__).splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where to write the checkpoints (default: a temporary folder)")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args(arguments)
    table = Table(
        "pair", ".tgfp MB", "reading s", "all but the draws s", "draws s", "first look s", title="Comparing models of 32 blocks"
    )
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        files = []
        for seed in (0, 1):
            files.append(Path(scratch) / f"{seed}.tgfp")
            model = synthetic.make(Path(scratch) / str(seed), size=SIZE, seed=seed)
            write_fingerprint(files[-1], tensorguard.fingerprint_model(model))
        with threadpool_limits(1):
            for name, pair in (("unrelated", (files[0], files[1])), ("itself", (files[0], files[0]))):
                once(*pair)
                parts = zip(*(once(*pair) for _ in range(options.rounds)), strict=True)
                cells = [f"{statistics.median(part):.3f}" for part in parts]
                table.add_row(name, f"{pair[0].stat().st_size / 1e6:.2f}", *cells)
    Console(width=110).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
