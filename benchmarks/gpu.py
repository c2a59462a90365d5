"""A card against the processors: the same numbers, and how many weights a second.

    python -m benchmarks.gpu [--device cuda] [--threads 1 2 4 ...] [--model MODEL] [--seconds 1]

Three tables. Fingerprints of small models of every role (and of MODEL), made with either, compared number by number: digests have to be
equal, all else within 1e-6 of the largest number of its kind (what is kept in 8 bits: one step). Products of tiles as a sweep has them, in
GB of bfloat16 weights per second, transfers included: from ordinary and from page-locked memory, as float32 and as stored. Whole
fingerprints of MODEL. Exit code 1 if something differs. `--device cpu` runs torch on the processors: it checks the code, not a card.
"""

import argparse
import itertools
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.gpu_agreement import Difference, compare, small_models
from tensorguard.api.fingerprints import Settings, fingerprint_model
from tensorguard.api.models import open_model
from tensorguard.diagnosis.clock import timed
from tensorguard.diagnosis.work import COLUMNS, Tile, tiles
from tensorguard.engines.sizing import processors
from tensorguard.signals.cuda import TorchProducts, describe
from tensorguard.signals.products import IN_FLIGHT, NumpyProducts, Products

TOLERANCE = 1e-6


class _OnTorch(Settings):
    """torch in any case, also on the processors."""

    def products(self) -> Products:
        return TorchProducts(self.device)


def agreement(device: str, model: Path | None) -> tuple[Table, bool]:
    """Compare fingerprints of either kind."""
    table = Table("model", "what", "numbers", "largest difference", "allowed", "", title="The same fingerprint?")
    right = True
    for name, path in itertools.chain(small_models(), [(model.name, model)] if model else []):
        found = [fingerprint_model(path, settings=settings) for settings in (Settings(), _OnTorch(device=device))]
        for each in compare(*found, TOLERANCE):
            right &= each.fine
            table.add_row(
                name, each.what, f"{each.count:,}", _shown(each), f"{each.allowed:g}", "" if each.fine else "DIFFERENT"
            )
    return table, right


def _shown(each: Difference) -> str:
    return "none" if each.largest == 0 else f"{each.largest:.1e}"


def products(device: str, threads: list[int], seconds: float) -> Table:
    """Time products alone."""
    table = Table(
        "threads", "where", "tiles sent as", "GB/s", "GFLOP/s", title="Products of tiles of 256 x 4096, by 104 columns"
    )
    wide = tiles()
    rounded = tuple(tile.W.astype(ml_dtypes.bfloat16) for tile in wide)
    ways: list[tuple[str, str, Products, tuple[Any, ...]]] = [
        ("processors", "float32", NumpyProducts(), (None, None)),
        (f"{device}, ordinary memory", "float32", TorchProducts(device, pinned=False), (None, None)),
        (f"{device}, ordinary memory", "bfloat16", TorchProducts(device, pinned=False), rounded),
    ]
    if TorchProducts(device).pinned:
        ways.append((f"{device}, page-locked memory", "float32", TorchProducts(device), (None, None)))
        ways.append((f"{device}, page-locked memory", "bfloat16", TorchProducts(device), rounded))
    for count, (where, sent, made, stored) in itertools.product(threads, ways):
        work = partial(_multiplied, wide, stored, made)
        for number in range(2):
            work(number)
        operations = timed(work, itertools.count(), count, seconds).rate
        table.add_row(str(count), where, sent, f"{operations / COLUMNS / 1e9:.2f}", f"{operations / 1e9:.0f}")
    return table


def _multiplied(given: tuple[Tile, ...], stored: tuple[Any, ...], made: Products, number: int) -> int:
    tile = given[number % 2]
    made.both(tile.W, tile.X, tile.O, stored[number % 2])
    return 2 * tile.W.size * COLUMNS


def whole(device: str, model: Path, rounds: int) -> Table:
    """Time whole fingerprints, the files in the cache."""
    table = Table("where", "threads", "seconds", "GB/s", title=f"Fingerprint of {model.name}, {rounds} rounds, the fastest")
    nbytes = sum(info.nbytes for info in open_model(model).stored)
    ways = (("numpy", Settings(), processors()), *((device, _OnTorch(device=device), n * processors()) for n in (1, IN_FLIGHT)))
    for where, settings, count in ways:
        taken = []
        for _ in range(rounds):
            started = time.perf_counter()
            fingerprint_model(model, settings=settings, workers=count)
            taken.append(time.perf_counter() - started)
        table.add_row(where, str(count), f"{min(taken):.2f}", f"{nbytes / min(taken) / 1e9:.2f}")
    return table


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=str(__doc__).splitlines()[0])
    parser.add_argument("--device", default="cuda", help="a torch device")
    parser.add_argument("--threads", type=int, nargs="+", help="default: powers of two, up to twice the processors")
    parser.add_argument("--model", type=Path, help="a model to fingerprint with either, too")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each timing of products")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    threads = options.threads or [2**power for power in range((2 * processors()).bit_length())]
    name, memory = describe(options.device)
    console = Console(width=130)
    console.print(f"{name}, {memory / 1e9:.0f} GB; {processors()} processors; numpy {np.__version__}")
    table, right = agreement(options.device, options.model)
    console.print(table)
    console.print(products(options.device, threads, options.seconds))
    if options.model:
        console.print(whole(options.device, options.model, options.rounds))
    console.print("equal within the tolerance" if right else "DIFFERENT")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
