"""How fast a full fingerprint is, beside `cat`, hashing, the published method and the rivals, side by side in one run.

    python -m benchmarks.performance [--sizes 0.1 1 4 20] [--models FOLDER] [--sparse 1 10 100] [--rounds 3] [--no-rivals] [--json FILE]

Checkpoints are made (bf16, Llama's shapes; benchmarks.synthetic). Every command is a whole fresh process; the contestants take turns in
every round, each after its file was dropped from the page cache (cold) or read once (warm). Medians. Then: where the processor time goes,
what each signal adds, how it scales with workers, and memory from 1 GB to 100 GB (files that are all but empty).
"""

import argparse
import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.performance.contestants import Contestant, contestants, files
from benchmarks.performance.processes import Cost, FailedError, forget, median, remember, run
from benchmarks.rivals.environment import default_cache

Results = dict[str, Any]
SIGNALS = ("digests alone", "16 numbers alone", "sweep alone", "fingerprint")
"""What `benchmarks.performance.signals` can do."""


def compare(model: Path, those: Sequence[Contestant], rounds: int, timeout: float, console: Console) -> list[Results]:
    """Time contestants on one checkpoint."""
    size = sum(path.stat().st_size for path in files(model)) / 1e9
    costs: dict[tuple[str, bool], list[Cost]] = defaultdict(list)
    failed: dict[str, str] = {}
    for _ in range(rounds):
        for cold in (True, False):
            for each in those:
                if each.name in failed or size > 1.1 * each.largest:
                    continue
                (forget if cold else remember)(files(model))
                with tempfile.TemporaryDirectory() as out:
                    try:
                        costs[each.name, cold].append(run(each.command(model, Path(out)), timeout))
                    except FailedError as reason:
                        failed[each.name] = str(reason)
    table = Table(
        "command", "cold s", "warm s", "warm GB/s", "x cat cold", "x cat warm", "CPU s/GB", "peak MB", title=f"{size:.2f} GB"
    )
    rows = []
    for each in those:
        if each.name in failed:
            table.add_row(each.name, failed[each.name])
            rows.append({"command": each.name, "failed": failed[each.name]})
        elif (each.name, True) in costs:
            rows.append(_row(each.name, size, costs))
            table.add_row(*(f"{value:.3g}" if isinstance(value, float) else str(value) for value in rows[-1].values()))
    console.print(table)
    return rows


def _row(name: str, size: float, costs: dict[tuple[str, bool], list[Cost]]) -> Results:
    cat = {kind: median(costs["cat", kind], lambda cost: cost.seconds) for kind in (True, False)}
    seconds = {kind: median(costs[name, kind], lambda cost: cost.seconds) for kind in (True, False)}
    return {
        "command": name,
        "cold": seconds[True],
        "warm": seconds[False],
        "rate": size / seconds[False],
        "cat_cold": seconds[True] / cat[True],
        "cat_warm": seconds[False] / cat[False],
        "cpu": median(costs[name, False], lambda cost: cost.cpu) / size,
        "peak": round(max(cost.peak for kind in (True, False) for cost in costs[name, kind]) / 1e6),
    }


def of_signals(model: Path, workers: int, rounds: int, console: Console) -> list[Results]:
    """Time what each signal adds."""
    table = Table(
        "read and computed", "warm s", "GB/s", "CPU ns per weight", "peak MB", title=f"What signals add, {workers} workers"
    )
    rows = []
    for work in SIGNALS:
        found = [child(model, work, workers) for _ in range(rounds)]
        seconds, cpu, elements = (sorted(each[key] for each in found)[rounds // 2] for key in ("seconds", "cpu", "elements"))
        peak = max(each["peak"] for each in found)
        rows.append(
            {"work": work, "seconds": seconds, "rate": 2 * elements / 1e9 / seconds, "cpu": cpu / elements * 1e9, "peak": peak}
        )
        table.add_row(work, f"{seconds:.2f}", f"{rows[-1]['rate']:.2f}", f"{rows[-1]['cpu']:.2f}", f"{peak / 1e6:.0f}")
    console.print(table)
    return rows


def of_shares(model: Path, console: Console) -> Results:
    """Tell where the processor time goes."""
    shares: dict[str, float] = json.loads(
        run([sys.executable, "-m", "benchmarks.performance.shares", str(model)], told=True).output
    )
    table = Table("step", "CPU ns per weight", "share", title="Where the time of one thread goes")
    for step, spent in sorted(shares.items(), key=lambda item: -item[1]):
        table.add_row(step, f"{spent:.2f}", f"{spent / sum(shares.values()):.0%}")
    console.print(table)
    return shares


def of_workers(model: Path, most: int, rounds: int, console: Console) -> list[Results]:
    """Time one to all processors, and see that the bytes are the same."""
    table = Table("workers", "warm s", "times faster", "result", title="Scaling with workers")
    rows: list[Results] = []
    for workers in sorted({*(1 << power for power in range(most.bit_length())), most}):
        found = [child(model, "fingerprint", workers) for _ in range(rounds)]
        seconds = sorted(each["seconds"] for each in found)[rounds // 2]
        rows.append({"workers": workers, "seconds": seconds, "digest": found[0]["digest"]})
        same = "equal bytes" if rows[-1]["digest"] == rows[0]["digest"] else "DIFFERENT"
        table.add_row(str(workers), f"{seconds:.2f}", f"{rows[0]['seconds'] / seconds:.2f}", same)
    console.print(table)
    return rows


def of_memory(sizes: Sequence[float], folder: Path, console: Console) -> list[Results]:
    """Measure the peak memory of one command on files of zeros."""
    table = Table("GB", "seconds", "peak MB", title="Memory, from files that are all but empty")
    rows = []
    for size in sizes:
        model = made("benchmarks.performance.sparse", folder / f"sparse-{size:g}", size)
        with tempfile.TemporaryDirectory() as out:
            cost = run([sys.executable, "-m", "tensorguard", "fingerprint", "--quiet", str(model), "-o", out])
        rows.append({"size": size, "seconds": cost.seconds, "peak": cost.peak})
        table.add_row(f"{size:g}", f"{cost.seconds:.1f}", f"{cost.peak / 1e6:.0f}")
    console.print(table)
    return rows


def child(model: Path, work: str, workers: int) -> Results:
    """Do one work in a fresh process; see `benchmarks.performance.signals`."""
    remember(files(model))
    command = [sys.executable, "-m", "benchmarks.performance.signals", str(model), work, str(workers)]
    found: Results = json.loads(run(command, told=True).output)
    return found


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    console = Console(width=130)
    those: list[Contestant] = []
    for each in contestants(options.environments, rivals=options.rivals):
        if isinstance(each, Contestant):
            those.append(each)
        else:
            console.print(f"not run: {each}")
    results: Results = {"sizes": {}}
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        for model in options.models:
            results["sizes"][model.name] = compare(model, those, options.rounds, options.timeout, console)
        for size in options.sizes:
            model = made("benchmarks.synthetic", Path(scratch) / f"{size:g}", size)
            results["sizes"][f"{size:g}"] = compare(model, those, options.rounds, options.timeout, console)
            if size == options.inside:
                results["signals"] = of_signals(model, options.workers, options.rounds, console)
                results["shares"] = of_shares(model, console)
                results["workers"] = of_workers(model, options.workers, options.rounds, console)
            for path in files(model):
                path.unlink()
        results["memory"] = of_memory(options.sparse, Path(scratch), console)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    return 0


def made(module: str, folder: Path, size: float) -> Path:
    """Make a checkpoint in a process of its own."""
    run([sys.executable, "-m", module, str(folder), "--size", str(size)])
    return folder


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.performance", description=str(__doc__).splitlines()[0])
    parser.add_argument("--sizes", type=float, nargs="*", default=[0.1, 1.0, 4.0, 20.0], help="in GB")
    parser.add_argument("--models", type=Path, nargs="*", default=[], help="real checkpoints to be timed, too")
    parser.add_argument("--sparse", type=float, nargs="*", default=[1.0, 10.0, 100.0], help="in GB; they take no room")
    parser.add_argument("--inside", type=float, default=4.0, help="the size of which signals, steps and workers are timed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds that a command may take")
    parser.add_argument("--folder", type=Path, help="where to write the checkpoints (default: a temporary folder)")
    parser.add_argument("--environments", type=Path, default=default_cache(), help="where the rivals are installed")
    parser.add_argument("--no-rivals", dest="rivals", action="store_false")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
