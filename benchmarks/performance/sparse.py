"""Checkpoints of any size that take next to no room on the disk: the first numbers of every tensor, then zeros that nobody stored.

python -m benchmarks.performance.sparse OUT --size 100
"""

import argparse
import json
import sys
from itertools import pairwise
from pathlib import Path

import ml_dtypes
import numpy as np

from benchmarks import synthetic

_FIRST = 4096
"""Numbers of every tensor that are not zero; a norm's are among them."""


def make(folder: Path, *, size: float) -> Path:
    """Write a Llama-shaped BF16 checkpoint of about `size` GB to a new folder: small numbers first in every tensor, then zeros."""
    shapes, config = synthetic.plan(size)
    header, offsets, end = {}, [], 0
    for name, shape in shapes.items():
        length = 2 * (shape[0] * shape[1] if len(shape) == 2 else shape[0])
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + length]}
        offsets.append(end)
        end += length
    first = np.random.default_rng(0).standard_normal(_FIRST, dtype=np.float32).astype(ml_dtypes.bfloat16).tobytes()
    text = json.dumps(header).encode()
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
        for offset, following in pairwise([*offsets, end]):
            file.seek(8 + len(text) + offset)
            file.write(first[: following - offset])
    return folder


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.performance.sparse", description=str(__doc__).splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=float, default=100.0, help="in GB")
    options = parser.parse_args(arguments)
    make(options.folder, size=options.size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
