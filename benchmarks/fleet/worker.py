"""What one worker process takes at its peak, on sparse models of real shapes: what `engines.sizing.WORKER_BYTES` is about.

    python -m benchmarks.fleet.worker [--threads 1 2] [--folder DIR]

Each model is fingerprinted in full by a worker process of the command's own kind. Memory is what cannot be given back while it runs
(`RssAnon` of /proc, looked at 100 times a second), and all that was resident (`VmHWM`), pages of mapped files among it. Nearly all of
the weights are holes in the file: zeros take the same way as others.
"""

import argparse
import json
import os
import re
import sys
import tempfile
import threading
import time
from functools import partial
from math import prod
from pathlib import Path

import ml_dtypes
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.checkpoint import ITEM_SIZE
from benchmarks.synthetic import Width, layer_shapes
from tensorguard.api.fingerprints import Settings, fingerprint_opened
from tensorguard.engines.base import Task, ignore
from tensorguard.engines.processes import Processes
from tensorguard.progress import Silent

SHAPES = {
    "1 B, bf16": (Width(2048, 8192, 32, 8, 128_256), 4, "BF16"),
    "8 B, bf16": (Width(4096, 14_336, 32, 8, 128_256), 2, "BF16"),
    "8 B, float32": (Width(4096, 14_336, 32, 8, 128_256), 1, "F32"),
    "Gemma's vocabulary of 256,000": (Width(3072, 24_576, 16, 16, 256_000), 1, "BF16"),
    "70 B, bf16": (Width(8192, 28_672, 64, 8, 128_256), 1, "BF16"),
    "405 B, bf16": (Width(16_384, 53_248, 128, 8, 128_256), 1, "BF16"),
}
"""Widths, and as many layers as show it: the peak does not grow with depth."""


def sparse(folder: Path, width: Width, layers: int, dtype: str) -> Path:
    """Write a model whose weights are holes, with a vocabulary of its size."""
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (width.vocabulary, width.hidden)}
    for layer in range(layers):
        shapes |= {f"model.layers.{layer}.{name}.weight": shape for name, shape in layer_shapes(width).items()}
    shapes |= {"model.norm.weight": (width.hidden,), "lm_head.weight": (width.vocabulary, width.hidden)}
    header, position = {}, 0
    for name, shape in shapes.items():
        end = position + prod(shape) * ITEM_SIZE[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [position, end]}
        position = end
    text = json.dumps(header).encode()
    folder.mkdir()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + position)
        for each in header.values():
            file.seek(8 + len(text) + each["data_offsets"][0])
            file.write(_few(dtype).tobytes())
    config = {"model_type": "llama", "hidden_size": width.hidden, "num_attention_heads": width.heads}
    config |= {"num_key_value_heads": width.kv_heads, "num_hidden_layers": layers, "vocab_size": width.vocabulary}
    (folder / "config.json").write_text(json.dumps(config))
    words = {f"\u0120w{number:x}": number for number in range(width.vocabulary)}
    merges = [f"\u0120w{number:x} e{number:x}" for number in range(2 * width.vocabulary)]
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"type": "BPE", "vocab": words, "merges": merges}}))
    return folder


def _few(dtype: str) -> np.ndarray:
    """Return a thousand numbers, so that no tensor is constant."""
    numbers = np.random.default_rng(0).standard_normal(1000, dtype=np.float32)
    return numbers if dtype == "F32" else numbers.astype(ml_dtypes.bfloat16)


def work(path: Path, threads: int, *, note: Path) -> float:
    """Fingerprint a model, with this process' number told; return the seconds of processor time."""
    note.write_text(str(os.getpid()))
    settings = Settings()
    fingerprint_opened(settings.open(path), settings, threads, Silent())
    return sum(os.times()[:2])


def measure(path: Path, threads: int) -> tuple[float, int, int]:
    """Return processor seconds, the peak of what cannot be given back, and that of all that was resident, in bytes."""
    note, anonymous, resident, over = path.parent / "pid", [0], [0], threading.Event()
    note.unlink(missing_ok=True)

    def look() -> None:
        while not over.is_set():
            try:
                status = Path(f"/proc/{note.read_text()}/status").read_text()
                anonymous.append(int(re.search(r"RssAnon:\s+(\d+)", status)[1]) * 1024)
                resident.append(int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024)
            except (OSError, TypeError):
                pass
            time.sleep(0.01)

    looking = threading.Thread(target=look)
    looking.start()
    (finished,) = Processes(threads).each(partial(work, note=note), [Task(path, 1.0)], ignore)
    over.set()
    looking.join()
    if finished.error:
        raise finished.error
    return finished.result, max(anonymous), max(resident)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet.worker", description=str(__doc__).splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument(
        "--only", nargs="+", choices=list(SHAPES), default=list(SHAPES), metavar="MODEL", help=", ".join(SHAPES)
    )
    parser.add_argument("--folder", type=Path, help="where to write the models, sparse files (default: a temporary folder)")
    options = parser.parse_args(arguments)
    table = Table("model", "GB", "threads", "CPU s", "MB of its own", "MB resident", title="One worker process at its peak")
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        for number, name in enumerate(options.only):
            path = sparse(Path(scratch) / f"model{number}", *SHAPES[name])
            size = (path / "model.safetensors").stat().st_size
            for threads in options.threads:
                seconds, anonymous, resident = measure(path, threads)
                row = (f"{size / 1e9:.1f}", str(threads), f"{seconds:.1f}", f"{anonymous / 1e6:.0f}", f"{resident / 1e6:.0f}")
                table.add_row(name, *row)
                print(name, *row, sep=" | ", file=sys.stderr, flush=True)
    Console(width=110).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
