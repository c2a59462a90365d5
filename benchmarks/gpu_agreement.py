"""Small models that hold every role, and how two fingerprints of one model differ."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.sketches import ARRAYS

WIDTH, HIDDEN, HEADS, KEYS, WORDS, BLOCKS, EXPERTS = 512, 1408, 8, 2, 4096, 2, 4
HALF = 2e-3
"""Two steps of half precision, which operators between anchors and response sketches are kept in."""

STATISTICS = ("mean", "std", "norm", "skewness", "kurtosis", "gain")


@dataclass(frozen=True)
class Difference:
    """How far apart numbers of one kind are.

    Attributes:
        what: Which.
        count: How many there are.
        largest: The largest difference, over the largest number (of integers: itself; of indices and digests: how many differ).
        allowed: How much is allowed.
    """

    what: str
    count: int
    largest: float
    allowed: float

    @property
    def fine(self) -> bool:
        return self.largest <= self.allowed  # not so of a number that is none


def compare(one: Fingerprint, other: Fingerprint, tolerance: float) -> list[Difference]:
    """Compare everything, the numbers of one kind together: what comes from values alone has to be equal."""
    assert one.sketches is not None
    assert other.sketches is not None
    digests = [a != b for a, b in zip(one.digests, other.digests, strict=True)]
    kinds = {
        "of values: digests, samples, traces": Difference("", len(digests), sum(digests), 0),
        "16 numbers, layer by layer": _statistics(one, other, tolerance),
    }
    for name in ARRAYS:
        a, b = getattr(one.sketches, name), getattr(other.sketches, name)
        whole = a.dtype.kind == "i"
        if name in ("unit_count", "sample", "traces"):
            kind, found = "of values: digests, samples, traces", Difference("", a.size, int(np.count_nonzero(a != b)), 0)
        elif name == "unit_index":
            kind, found = "strongest neurons", Difference("", a.size, int(np.count_nonzero(a != b)), a.size / 200)
        else:
            half = a.dtype == np.float16 or name == "response"
            kind = "in 8 bits" if whole else "in half precision" if half else "in single precision"
            largest = 1 if whole else float(np.abs(a).max(initial=0)) or 1
            apart = float(np.abs(a.astype(np.float64) - b).max(initial=0) / largest)
            found = Difference("", a.size, apart, 1 if whole else HALF if half else tolerance)
        before = kinds.get(kind, Difference("", 0, 0, found.allowed))
        kinds[kind] = Difference(kind, before.count + found.count, max(before.largest, found.largest), found.allowed)
    return [replace(found, what=kind) for kind, found in kinds.items()]


def _statistics(one: Fingerprint, other: Fingerprint, tolerance: float) -> Difference:
    pairs = [
        [(getattr(a, name), getattr(b, name)) for a, b in zip(one.layers, other.layers, strict=True)] for name in STATISTICS
    ]
    numbers = np.array(pairs)
    scale = np.abs(numbers[..., 0])
    scale[0] = scale[1]  # a mean is as exact as its numbers are wide, and so are the moments about it
    scale[3:5] = np.maximum(scale[3:5], 1)
    return Difference("", scale.size, float((np.abs(numbers[..., 0] - numbers[..., 1]) / scale).max(initial=0)), tolerance)


def small_models() -> Iterator[tuple[str, Path]]:
    """Yield (name, folder) of a Llama, a Mixtral and a GPT-2; each is gone when the next is asked for."""
    for name, (shapes, config) in {"llama": _llama(0), "mixtral": _llama(EXPERTS), "gpt2": _gpt2()}.items():
        random = np.random.default_rng(0)
        arrays = {
            key: (random.standard_normal(shape, np.float32) / np.sqrt(shape[-1])).astype(ml_dtypes.bfloat16)
            for key, shape in shapes.items()
        }
        with tempfile.TemporaryDirectory() as folder:
            save_file(arrays, Path(folder) / "model.safetensors")
            (Path(folder) / "config.json").write_text(json.dumps(config))
            yield name, Path(folder)


_Shapes = tuple[dict[str, tuple[int, ...]], dict[str, Any]]


def _llama(experts: int) -> _Shapes:
    kv = WIDTH // HEADS * KEYS
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (WORDS, WIDTH), "lm_head.weight": (WORDS, WIDTH)}
    for layer in range(BLOCKS):
        block = f"model.layers.{layer}"
        shapes |= {f"{block}.{norm}_layernorm.weight": (WIDTH,) for norm in ("input", "post_attention")}
        shapes |= {
            f"{block}.self_attn.{name}_proj.weight": (rows, WIDTH)
            for name, rows in zip("qkvo", (WIDTH, kv, kv, WIDTH), strict=True)
        }
        if not experts:
            shapes |= {f"{block}.mlp.{name}_proj.weight": (HIDDEN, WIDTH) for name in ("gate", "up")}
            shapes[f"{block}.mlp.down_proj.weight"] = (WIDTH, HIDDEN)
            continue
        shapes[f"{block}.block_sparse_moe.gate.weight"] = (experts, WIDTH)
        for expert in range(experts):
            inner = f"{block}.block_sparse_moe.experts.{expert}"
            shapes |= {
                f"{inner}.w1.weight": (HIDDEN, WIDTH),
                f"{inner}.w2.weight": (WIDTH, HIDDEN),
                f"{inner}.w3.weight": (HIDDEN, WIDTH),
            }
    config = {"model_type": "mixtral" if experts else "llama", "num_attention_heads": HEADS, "num_key_value_heads": KEYS}
    return shapes | {"model.norm.weight": (WIDTH,)}, config


def _gpt2() -> _Shapes:
    shapes: dict[str, tuple[int, ...]] = {"wte.weight": (WORDS, WIDTH), "wpe.weight": (256, WIDTH)}
    for layer in range(BLOCKS):
        block = f"h.{layer}"
        shapes |= {f"{block}.{norm}.{part}": (WIDTH,) for norm in ("ln_1", "ln_2") for part in ("weight", "bias")}
        matrices = {
            "attn.c_attn": (WIDTH, 3 * WIDTH),
            "attn.c_proj": (WIDTH, WIDTH),
            "mlp.c_fc": (WIDTH, HIDDEN),
            "mlp.c_proj": (HIDDEN, WIDTH),
        }
        for name, shape in matrices.items():
            shapes |= {f"{block}.{name}.weight": shape, f"{block}.{name}.bias": shape[1:]}
    return shapes | {"ln_f.weight": (WIDTH,), "ln_f.bias": (WIDTH,)}, {"model_type": "gpt2", "n_head": HEADS}
