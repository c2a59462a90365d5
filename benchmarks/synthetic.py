"""Write a Llama-shaped BF16 checkpoint of a given size, for measuring how fast weights are read. Its values mean nothing.

    python -m benchmarks.synthetic OUT --size 4 [--shards 3] [--seed 0]

Every row is a window of one block of normal numbers at a random place, its exponent shifted by -1, 0 or 1: rows differ, also in scale, and
it costs about as much as copying. Rows share numbers, so nothing follows from it for the statistics of real weights.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from benchmarks.checkpoint import Entry, new_folder, write_model

_POOL = 1 << 22
_TILE_BYTES = 1 << 24
_EXPONENT = 1 << 7
"""One step of BF16's exponent, as a number added to its 16 bits."""


class Width(NamedTuple):
    """The widths of a Llama; its depth follows from the size wanted."""

    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    vocabulary: int


WIDTHS = (
    Width(4096, 14336, 32, 8, 128256),
    Width(2048, 8192, 32, 8, 128256),
    Width(1024, 2816, 16, 8, 32000),
    Width(256, 704, 4, 2, 4096),
)
"""Of Llama 3 8B and Llama 3.2 1B, and two smaller ones."""


def layer_shapes(width: Width) -> dict[str, tuple[int, ...]]:
    """Return the tensors of one layer."""
    hidden, kv = width.hidden, width.hidden // width.heads * width.kv_heads
    return {
        "input_layernorm": (hidden,),
        "self_attn.q_proj": (hidden, hidden),
        "self_attn.k_proj": (kv, hidden),
        "self_attn.v_proj": (kv, hidden),
        "self_attn.o_proj": (hidden, hidden),
        "post_attention_layernorm": (hidden,),
        "mlp.gate_proj": (width.intermediate, hidden),
        "mlp.up_proj": (width.intermediate, hidden),
        "mlp.down_proj": (hidden, width.intermediate),
    }


def plan(size: float) -> tuple[dict[str, tuple[int, ...]], dict[str, Any]]:
    """Return names and shapes of about `size` GB of BF16 tensors, and the configuration.

    The widest of `WIDTHS` whose embeddings and one layer fill at most half of the size, or else the narrowest; layers fill the rest.
    """

    def parameters(width: Width) -> tuple[int, int]:
        return width.vocabulary * width.hidden, sum(int(np.prod(shape)) for shape in layer_shapes(width).values())

    wanted = size * 1e9 / 2
    width = next((w for w in WIDTHS if sum(parameters(w)) <= wanted / 2), WIDTHS[-1])
    outside, inside = parameters(width)
    layers = max(1, round((wanted - outside) / inside))
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (width.vocabulary, width.hidden)}
    for layer in range(layers):
        shapes |= {f"model.layers.{layer}.{name}.weight": shape for name, shape in layer_shapes(width).items()}
    shapes["model.norm.weight"] = (width.hidden,)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": width.hidden,
        "intermediate_size": width.intermediate,
        "num_attention_heads": width.heads,
        "num_key_value_heads": width.kv_heads,
        "num_hidden_layers": layers,
        "vocab_size": width.vocabulary,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
    }
    return shapes, config


def make(folder: Path, *, size: float, shards: int = 1, seed: int = 0) -> Path:
    """Write the checkpoint to a new folder; one that is there already is left as it is.

    Args:
        folder: The model's folder.
        size: In GB (10^9 bytes).
        shards: Number of files.
        seed: Equal seeds give equal bytes.
    """
    if folder.is_dir():
        return folder
    shapes, config = plan(size)
    normal = np.random.default_rng(seed).standard_normal(_POOL, dtype=np.float32)
    normal[normal == 0] = 1  # a zero has no exponent to shift
    pool = (normal * np.float32(0.02)).astype(ml_dtypes.bfloat16).view(np.uint16)
    entries = [
        Entry(name, "BF16", shape, _rows(pool, shape, (seed, number))) for number, (name, shape) in enumerate(shapes.items())
    ]
    with new_folder(folder) as partial:
        write_model(partial, entries, config, shards)
    return folder


def _rows(pool: np.ndarray, shape: tuple[int, ...], seed: tuple[int, int]) -> Callable[[], Iterator[np.ndarray]]:
    def blocks() -> Iterator[np.ndarray]:
        if len(shape) == 1:  # a norm's gain
            yield np.ones(shape, ml_dtypes.bfloat16)
            return
        random = np.random.default_rng(seed)
        windows = np.lib.stride_tricks.sliding_window_view(pool, shape[1])
        tile = max(1, _TILE_BYTES // (2 * shape[1]))
        for first in range(0, shape[0], tile):
            count = min(tile, shape[0] - first)
            rows = windows[random.integers(len(windows), size=count)]
            rows += (random.integers(-1, 2, size=(count, 1)) * _EXPONENT).astype(np.uint16)  # wraps around: adding -1 steps
            yield rows

    return blocks


def main(arguments: list[str] | None = None) -> int:
    """Write one checkpoint and say how large it is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.synthetic", description=str(__doc__).splitlines()[0])
    parser.add_argument("out", type=Path, help="the model's folder")
    parser.add_argument("--size", type=float, required=True, help="in GB")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    started = time.perf_counter()
    make(given.out, size=given.size, shards=given.shards, seed=given.seed)
    total = sum(file.stat().st_size for file in given.out.iterdir())
    print(f"{given.out}: {total / 1e9:.2f} GB in {time.perf_counter() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
