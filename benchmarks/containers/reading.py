"""How fast each container is read and decoded, and how much memory that takes, against `cat FILE > /dev/null`.

    python -m benchmarks.containers.reading MODEL [--only GLOB ...] [--rounds 3]

Every tensor is read once, decoded to float32 and digested, as a fingerprint does it and nothing more, on one thread, in a process of its
own; files are in the page cache. Of several rounds the fastest counts. Memory is what the process takes beyond reading a tiny model.
"""

import argparse
import fnmatch
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.containers import floats, gguf_file, packed
from benchmarks.containers.base import Original, original, save

CHOSEN = (
    "safetensors F32", "safetensors BF16", "safetensors F16", "torch.save F32", "torch.save BF16", "GGUF BF16", "GGUF Q8_0", "GGUF Q4_0",
    "GGUF Q4_K", "GGUF Q6_K", "GPTQ 4", "GPTQ 4, act-order", "AWQ 4", "bitsandbytes INT8", "bitsandbytes NF4", "bitsandbytes NF4, nested",
    "FP8, blocks", "compressed-tensors int4 asymmetric", "compressed-tensors nvfp4", "HQQ 4, axis 1", "MLX 4", "torchao int8",
)  # fmt: skip


def measured(folder: Path) -> dict[str, float]:
    """Read a model in a process of its own; return seconds, CPU seconds, peak memory in bytes, and numbers read."""
    command = [sys.executable, "-m", "benchmarks.performance.signals", str(folder), "digests alone", "1"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def cat(files: list[Path]) -> float:
    """Return the seconds of `cat` of all files to nowhere."""
    started = time.perf_counter()
    with Path("/dev/null").open("wb") as nowhere:
        subprocess.run(["cat", *map(str, files)], check=True, stdout=nowhere)
    return time.perf_counter() - started


def row(folder: Path, rounds: int, tiny: float) -> list[str]:
    """Return the cells of one container: MB, seconds of cat, of reading, their ratio, numbers and bytes a second, MB of memory."""
    files = [file for file in folder.iterdir() if file.suffix != ".json"]
    size = sum(file.stat().st_size for file in files)
    cats, reads = [], []
    for _ in range(rounds):
        cats.append(cat(files))
        reads.append(measured(folder))
    fastest, plain = min(reads, key=lambda each: each["seconds"]), min(cats)
    seconds = fastest["seconds"]
    memory = max(each["peak"] for each in reads) - tiny
    return [
        f"{size / 1e6:.0f}",
        f"{plain:.3f}",
        f"{seconds:.2f}",
        f"{seconds / plain:.1f}",
        f"{fastest['cpu']:.2f}",
        f"{fastest['elements'] / seconds / 1e6:.0f}",
        f"{size / seconds / 1e6:.0f}",
        f"{memory / 1e6:.0f}",
        f"{memory / size:.2f}",
    ]


def smallest(folder: Path, model: Original) -> float:
    """Return the peak memory of reading next to nothing, in bytes."""
    return measured(save(folder, {"w": torch.randn(64, 64)}, model.config))["peak"]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.containers.reading", description=str(__doc__).splitlines()[0])
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("--only", action="append", metavar="GLOB", help="containers by name; may be repeated")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the files are written for a while (default: a temporary folder)")
    options = parser.parse_args(arguments)
    model, patterns = original(options.model), options.only or CHOSEN
    heading = ("container", "MB", "cat s", "s", "s / cat", "CPU s", "M numbers/s", "MB/s", "memory MB", "memory / file")
    table = Table(*heading, title=f"{options.model.name}: every number read, decoded and digested by one thread")
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        tiny = smallest(Path(scratch) / "tiny", model)
        for module in (floats, gguf_file, packed):
            for container in module.containers():
                if not any(fnmatch.fnmatch(container.name, pattern) for pattern in patterns):
                    continue
                with tempfile.TemporaryDirectory(dir=scratch) as place:
                    container.write(model, Path(place))
                    (Path(place) / "config.json").write_text(json.dumps(dict(model.config) | dict(container.config)))
                    table.add_row(container.name, *row(Path(place), options.rounds, tiny))
    Console(width=150).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
