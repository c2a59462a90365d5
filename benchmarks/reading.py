"""Reading speed and memory on a synthetic bf16 checkpoint, against `cat FILE > /dev/null`: 64 probes of all 2-D tensors, digests, both.

    python -m benchmarks.reading [--sizes 1 4] [--folder DIR] [--rounds 3]

Cold runs follow a call that drops the file's pages from the cache. Seconds of ours are those of a whole fresh process, as are cat's.
"""

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

import tensorguard
from benchmarks import synthetic

PROBES = 64
WORK = ("64 probes, gaussian", "64 probes, the paper's five", "digests", "default: 16 numbers and digests")
"""What is asked of all 2-D tensors; the paper's five read twice for FGSM, and the default asks up to twelve tensors and digests all."""


def settings_of(work: str) -> tensorguard.Settings:
    """Return the settings of one of `WORK`."""
    if work == WORK[0]:
        probes = tensorguard.ProbeSpec(repeats=PROBES, strategies=("gaussian",))
        return tensorguard.Settings(tensorguard.Specification(probes, per_category=None), lineage=False)
    if work == WORK[1]:
        probes = tensorguard.ProbeSpec(repeats=PROBES)
        return tensorguard.Settings(tensorguard.Specification(probes, per_category=None), lineage=False)
    if work == WORK[2]:  # one repeat of one layer a category: as little as can be asked
        probes = tensorguard.ProbeSpec(repeats=1, strategies=("gaussian",))
        return tensorguard.Settings(tensorguard.Specification(probes, per_category=1))
    return tensorguard.Settings()


def child(path: Path, work: str, workers: int) -> None:
    """Fingerprint in this process and print what it took."""
    settings = settings_of(work)
    started = time.perf_counter()
    found = tensorguard.fingerprint_model(path, settings=settings, workers=workers)
    seconds = time.perf_counter() - started
    digest = hashlib.blake2b(repr((found.layers, found.digests)).encode(), digest_size=8).hexdigest()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "peak": peak, "digest": digest}))


def run(path: Path, work: str, workers: int) -> dict[str, float]:
    """Run `child` in a fresh process; adds the whole process's seconds."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.reading", "--child", str(path), work, str(workers)]
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
    nbytes = sum(shard.stat().st_size for shard in path.glob("*.safetensors"))
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
            seconds = statistics.median(sample["process"] for sample in ours)
            ratio = statistics.median(one["process"] / other for one, other in zip(ours, cats, strict=True))
            table.add_row(
                f"{nbytes / 1e9:.1f}",
                work,
                "cold" if cold else "warm",
                f"{statistics.median(cats):.2f}",
                f"{seconds:.2f}",
                f"{ratio:.2f}",
                f"{nbytes / 1e9 / statistics.median(sample['seconds'] for sample in ours):.2f}",
                f"{max(sample['peak'] for sample in ours) / 1e6:.0f}",
            )
    digests = {run(path, work, count)["digest"] for work in (WORK[0], WORK[3]) for count in (1, 2, 3)}
    table.caption = f"result with 1, 2 and 3 workers: {'the same' if len(digests) == 2 else 'DIFFERENT'}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=str(__doc__).splitlines()[0])
    parser.add_argument("--sizes", type=float, nargs="+", default=[1.0, 4.0], help="in GB")
    parser.add_argument("--folder", type=Path, help="where to write the checkpoints (default: a temporary folder)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        child(Path(options.child[0]), options.child[1], int(options.child[2]))
        return 0
    heading = ("GB", "work", "cache", "cat s", "ours s", "ours / cat", "ours GB/s", "peak MB")
    table = Table(*heading, title=f"A synthetic bf16 checkpoint, {options.workers} workers")
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        for size in options.sizes:
            path = synthetic.make(Path(scratch) / f"{size}", size=size)
            measure(path if path.is_dir() else path.parent, options.rounds, options.workers, table)
    Console(width=130).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
