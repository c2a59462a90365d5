"""Models whose matrices use few directions, as trained ones do, and adapters that move these: what gradients leave, without training."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from support.checkpoints import Arrays, llama, numbers, save

WIDTH, BLOCKS, RANK, ALPHA = 64, 6, 4, 8
_PREFIX = "base_model.model."


def weights(seed: int) -> Arrays:
    """A llama each of whose matrices has six strong directions of its own."""
    made = llama(seed, width=WIDTH, blocks=BLOCKS)
    return {name: _few(name, seed, value) if _adapted(name) else value for name, value in made.items()}


def factors(base: Arrays, *, start: int, data: int, rank: int = RANK) -> Arrays:
    """Factors of every matrix in blocks: A random by `start` and moved, B moved only; both to where the weights use directions."""
    made = {}
    for name, W in base.items():
        if _adapted(name):
            rows, columns = W.shape
            A = numbers(f"A{name}", rank, columns, seed=start) + 0.1 * numbers(f"a{name}", rank, rows, seed=data) @ W
            B = 0.02 * W @ numbers(f"b{name}", columns, rank, seed=data)
            module = _PREFIX + name.removesuffix(".weight")
            made |= {f"{module}.lora_A.weight": A.astype(np.float32), f"{module}.lora_B.weight": B.astype(np.float32)}
    return made


def write_adapter(folder: Path, made: Arrays, rank: int = RANK, **config: object) -> Path:
    """Write it as PEFT does."""
    folder.mkdir(parents=True)
    save_file(made, folder / "adapter_model.safetensors")
    text = {"peft_type": "LORA", "r": rank, "lora_alpha": ALPHA, "base_model_name_or_path": "org/base", **config}
    (folder / "adapter_config.json").write_text(json.dumps(text))
    return folder


def merged(base: Arrays, made: Arrays, times: float = 1.0) -> Arrays:
    """The base with what the factors make added, by numpy."""
    found = dict(base)
    for name, W in base.items():
        module = _PREFIX + name.removesuffix(".weight")
        if f"{module}.lora_A.weight" in made:
            delta = made[f"{module}.lora_B.weight"] @ made[f"{module}.lora_A.weight"]
            found[name] = (W + times * ALPHA / RANK * delta).astype(np.float32)
    return found


def write_all(folder: Path) -> Path:
    """Write two bases of equal shape, adapters on the first, and the first with one of them merged in."""
    one, other = weights(1), weights(2)
    first = factors(one, start=1, data=1)
    continued = {
        name: value + 0.5 * numbers(name, *value.shape, seed=9) * np.abs(value).mean() for name, value in first.items()
    }
    save(folder / "one", one)
    save(folder / "other", other)
    save(folder / "merged", merged(one, first))
    write_adapter(folder / "first", first)
    write_adapter(folder / "continued", continued)
    write_adapter(folder / "seed", factors(one, start=1, data=2))
    write_adapter(folder / "apart", factors(one, start=2, data=2))
    write_adapter(folder / "elsewhere", factors(other, start=3, data=3))
    return folder


def _adapted(name: str) -> bool:
    return name.endswith("_proj.weight")


def _few(name: str, seed: int, value: np.ndarray) -> np.ndarray:
    rows, columns = value.shape
    strong = numbers(f"left {name}", rows, 6, seed=seed) @ numbers(f"right {name}", 6, columns, seed=seed)
    return (0.2 * strong + 0.2 * value).astype(np.float32)
