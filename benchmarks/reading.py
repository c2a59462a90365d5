"""Reading speed and memory: all 2-D tensors of a synthetic bf16 checkpoint probed with 64 inputs, against `cat FILE > /dev/null`.

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

from benchmarks import synthetic

PROBES = 64
MIXTURES = {"one pass (gaussian)": ("gaussian",), "the paper's five (FGSM reads twice)": None}


def child(path: Path, mixture: str, workers: int) -> None:
    """Fingerprint in this process and print what it took."""
    import tensorguard

    strategies = MIXTURES[mixture]
    probes = tensorguard.ProbeSpec(repeats=PROBES) if strategies is None else tensorguard.ProbeSpec(0, PROBES, strategies)
    settings = tensorguard.Settings(tensorguard.Specification(probes, per_category=None))
    started = time.perf_counter()
    found = tensorguard.fingerprint_model(path, settings=settings, workers=workers)
    seconds = time.perf_counter() - started
    digest = hashlib.blake2b(repr(found.layers).encode(), digest_size=8).hexdigest()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "peak": peak, "digest": digest}))


def run(path: Path, mixture: str, workers: int) -> dict[str, float]:
    """Run `child` in a fresh process; adds the whole process's seconds."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.reading", "--child", str(path), mixture, str(workers)]
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
    for mixture in MIXTURES:
        for cold in (False, True):
            cats, ours = [], []
            for _ in range(rounds):
                for sample, call in ((cats, lambda: cat(path)), (ours, lambda mixture=mixture: run(path, mixture, workers))):
                    if cold:
                        forget(path)
                    else:
                        cat(path)
                    sample.append(call())
            seconds = statistics.median(sample["process"] for sample in ours)
            ratio = statistics.median(one["process"] / other for one, other in zip(ours, cats, strict=True))
            table.add_row(
                f"{nbytes / 1e9:.1f}",
                mixture,
                "cold" if cold else "warm",
                f"{statistics.median(cats):.2f}",
                f"{seconds:.2f}",
                f"{ratio:.2f}",
                f"{nbytes / 1e9 / statistics.median(sample['seconds'] for sample in ours):.2f}",
                f"{max(sample['peak'] for sample in ours) / 1e6:.0f}",
            )
    digests = {run(path, "one pass (gaussian)", count)["digest"] for count in (1, 2, 3)}
    table.caption = f"result with 1, 2 and 3 workers: {'the same' if len(digests) == 1 else 'DIFFERENT'}"


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
    heading = ("GB", "inputs", "cache", "cat s", "ours s", "ours / cat", "ours GB/s", "peak MB")
    table = Table(*heading, title=f"All 2-D tensors, {PROBES} probes, {options.workers} workers")
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        for size in options.sizes:
            path = synthetic.make(Path(scratch) / f"{size}", size=size)
            measure(path if path.is_dir() else path.parent, options.rounds, options.workers, table)
    Console(width=130).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
