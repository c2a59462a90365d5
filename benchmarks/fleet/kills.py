"""Kill workers and the command itself in the middle, call it again, and compare every byte with an undisturbed run.

    python -m benchmarks.fleet.kills FOLDER [--engine processes|ray] [--rounds 10] [--repeats 30] [--seed 0]

FOLDER holds models. Each round goes on until a call ends by itself: a call is killed at a random moment with `kill -9`, or one of its
workers is, in turns. With `ray` the cluster is one of this machine, which outlives the calls.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_MOST = 8
"""Kills in one round, after which a call is left alone."""


def files(folder: Path) -> dict[str, bytes]:
    """Return what the folder holds."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith(".part")}


def descendants(process: int) -> Iterator[int]:
    """Yield the processes that one has started, and those they have."""
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                yield child
                yield from descendants(child)


def workers(process: int, engine: str) -> list[int]:
    """Return the worker processes: children of the call, or Ray's, which are below the process that keeps the cluster."""
    found = []
    for each in descendants(os.getpid() if engine == "ray" else process):
        with contextlib.suppress(OSError):
            name = Path(f"/proc/{each}/cmdline").read_bytes()
            if (b"spawn_main" in name) if engine == "processes" else name.startswith(b"ray::_run"):
                found.append(each)
    return found


def one_round(call: list[str], engine: str, chance: random.Random, undisturbed: float, told: Counter[str]) -> None:
    """Call, and kill, until a call ends by itself.

    Raises:
        SystemExit: It ended with an error.
    """
    for kill in range(_MOST + 1):
        with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            try:
                if kill < _MOST:
                    said, _ = process.communicate(timeout=chance.uniform(0.1, 1.0) * undisturbed)
                else:
                    said, _ = process.communicate()
            except subprocess.TimeoutExpired:
                found = workers(process.pid, engine)
                if found and kill % 2:
                    os.kill(chance.choice(found), signal.SIGKILL)
                    told["worker"] += 1
                    said, _ = process.communicate()
                else:
                    process.kill()
                    told["command"] += 1
                    continue
        if process.returncode:
            raise SystemExit(f"it ended with {process.returncode}: {said[-2000:]}")
        told["ended well"] += 1
        return


@contextlib.contextmanager
def cluster(engine: str) -> Iterator[list[str]]:
    """Give the options that name an engine, with a cluster of this machine if it is Ray's."""
    if engine == "processes":
        yield ["--workers", "2"]
        return
    import ray

    ray.init(
        "local", num_cpus=2, object_store_memory=80_000_000, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
    )
    try:
        yield ["--engine", "ray", "--address", ray.get_runtime_context().gcs_address]
    finally:
        ray.shutdown()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet.kills", description=str(__doc__).splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", choices=["processes", "ray"], default="processes")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    chance, told = random.Random(options.seed), Counter[str]()
    program = [
        sys.executable,
        "-m",
        "tensorguard",
        "fingerprint",
        "--below",
        str(options.folder),
        "--repeats",
        str(options.repeats),
    ]
    with tempfile.TemporaryDirectory() as scratch, cluster(options.engine) as more:
        started = time.monotonic()
        subprocess.run([*program, *more, "-o", f"{scratch}/expected"], check=True, stdout=subprocess.DEVNULL)
        undisturbed, expected = time.monotonic() - started, files(Path(scratch) / "expected")
        for number in range(options.rounds):
            out = Path(scratch) / f"round{number}"
            one_round([*program, *more, "-o", str(out)], options.engine, chance, undisturbed, told)
            if files(out) != expected:
                raise SystemExit(f"round {number}: other bytes")
    print(f"{options.engine}: {options.rounds} rounds, {len(expected)} files each, killed {told['command']} times the command and "
          f"{told['worker']} times a worker; all bytes equal")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
