"""Speed and memory of `tensorguard fingerprint` on synthetic bf16 checkpoints, against `cat FILE > /dev/null`.

    python -m benchmarks.reading [--sizes 1 4] [--large] [--folder DIR] [--rounds 3]

Cold runs follow a call that drops the file's pages from the cache. Seconds are those of a whole fresh process, as are cat's. CPU time
(user and system) says more than seconds on a machine that has other things to do. `--large` adds a model of the shapes of Llama 3 8B,
16 GB: the layers of the last checkpoint over and over under other names, its embedding also as the head, so that it needs no such disk.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import synthetic
from benchmarks.reading_child import LARGE, WORK


def run(path: Path, work: str, workers: int) -> dict[str, float | str]:
    """Do the work in a fresh process; adds the whole process's seconds."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.reading_child", str(path), work, str(workers)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout) | {"process": time.perf_counter() - started}


def cat(path: Path) -> float:
    """Return the seconds of `cat` of every shard to nowhere."""
    shards = sorted(path.glob("*.safetensors"))
    started = time.perf_counter()
    with Path(os.devnull).open("wb") as nowhere:
        subprocess.run(["cat", *map(str, shards)], check=True, stdout=nowhere)
    return time.perf_counter() - started


def forget(path: Path) -> None:
    """Drop the files' pages from the cache."""
    os.sync()
    for shard in path.glob("*.safetensors"):
        descriptor = os.open(shard, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def measure(path: Path, rounds: int, workers: int, table: Table) -> None:
    """Add a row for each kind of work, cold and warm; every run of ours follows one of cat."""
    for work in WORK:
        for cold in (False, True):
            cats, ours = [], []
            for _ in range(rounds):
                for sample, call in ((cats, lambda: cat(path)), (ours, lambda work=work: run(path, work, workers))):
                    if cold:
                        forget(path)
                    else:
                        cat(path)
                    sample.append(call())
            ratio = statistics.median(one["process"] / other for one, other in zip(ours, cats, strict=True))
            add(table, work, "cold" if cold else "warm", ours, f"{statistics.median(cats):.2f}", f"{ratio:.2f}")


def add(table: Table, work: str, cache: str, runs: list[dict[str, float]], cats: str = "", ratio: str = "") -> None:
    """Add one row: medians of the runs, and the largest peak."""

    def median(name: str) -> float:
        return statistics.median(each[name] for each in runs)

    table.add_row(
        f"{2 * median('elements') / 1e9:.1f}",
        work,
        cache,
        cats,
        f"{median('process'):.2f}",
        ratio,
        f"{2 * median('elements') / 1e9 / median('seconds'):.2f}",
        f"{median('cpu') / median('elements') * 1e9:.2f}",
        f"{max(each['peak'] for each in runs) / 1e6:.0f}",
        f"{median('size') / 1e6:.2f}" if median("size") else "",
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=str(__doc__).splitlines()[0])
    parser.add_argument("--sizes", type=float, nargs="+", default=[1.0, 4.0], help="in GB")
    parser.add_argument("--large", action="store_true", help="also 16 GB, made of the last size's layers; give 4 or more")
    parser.add_argument("--folder", type=Path, help="where to write the checkpoints (default: a temporary folder)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args(arguments)
    heading = ("GB", "work", "cache", "cat s", "ours s", "ours / cat", "GB/s", "CPU ns/element", "peak MB", ".tgfp MB")
    table = Table(*heading, title=f"Synthetic bf16 checkpoints, {options.workers} workers")
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        for size in options.sizes:
            path = synthetic.make(Path(scratch) / f"{size}", size=size)
            measure(path, options.rounds, options.workers, table)
        if options.large:
            add(table, LARGE, "as it is", [run(path, LARGE, options.workers) for _ in range(options.rounds)])
        digests = {run(path, WORK[0], count)["digest"] for count in (1, 2, 3)}
        table.caption = f".tgfp of 1, 2 and 3 workers: {'equal bytes' if len(digests) == 1 else 'DIFFERENT'}"
    Console(width=150).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
