"""Derivatives of a checkpoint made on the spot with numpy alone: an adapter, a resharded copy, a renamed copy.

The adapter is synthetic: its low-rank factors are random, not trained. Its size is that of a usual fine-tuning.
"""

import json
from pathlib import Path

import numpy as np

from benchmarks.checkpoint import Entry, entry, read, values, write, write_json, write_model


def lora(
    base: Path,
    folder: Path,
    *,
    rank: int = 16,
    alpha: int = 32,
    targets: tuple[str, ...] | list[str] = ("q_proj", "v_proj"),
    strength: float = 0.03,
    seed: int = 0,
) -> None:
    """Write a LoRA adapter in PEFT's format with random factors.

    Args:
        base: The folder of the model that it is an adapter of (one safetensors file).
        folder: Where `adapter_config.json` and `adapter_model.safetensors` go.
        rank: Columns of B, rows of A.
        alpha: The product is scaled by alpha / rank.
        targets: Last part of the names of the modules that are adapted.
        strength: Frobenius norm of the whole update, relative to the weight's.
        seed: Of the random factors.
    """
    random = np.random.default_rng(seed)
    factors: list[Entry] = []
    for item in read(base / "model.safetensors"):
        module = item.name.removesuffix(".weight")
        if module.rsplit(".", 1)[-1] not in targets:
            continue
        outputs, inputs = item.shape
        down = random.uniform(-1, 1, (rank, inputs)).astype(np.float32) / np.float32(np.sqrt(inputs))
        up = random.standard_normal((outputs, rank)).astype(np.float32)
        update = alpha / rank * np.linalg.norm(up @ down)
        up *= np.float32(strength * np.linalg.norm(values(item)) / update)
        factors += [
            entry(f"base_model.model.{module}.lora_A.weight", down),
            entry(f"base_model.model.{module}.lora_B.weight", up),
        ]
    write(folder / "adapter_model.safetensors", factors)
    write_json(
        folder / "adapter_config.json",
        {
            "base_model_name_or_path": base.name,
            "bias": "none",
            "fan_in_fan_out": False,
            "inference_mode": True,
            "lora_alpha": alpha,
            "lora_dropout": 0.0,
            "peft_type": "LORA",
            "r": rank,
            "target_modules": list(targets),
            "task_type": "CAUSAL_LM",
        },
    )


def sharded(base: Path, folder: Path, *, shards: int = 3) -> None:
    """Write the same tensors in several files with an index."""
    write_model(folder, read(base / "model.safetensors"), _config(base), shards)


def renamed(base: Path, folder: Path, *, prefix: str = "module.", seed: int = 0) -> None:
    """Write the same tensors under another prefix and in a random order."""
    entries = [item._replace(name=prefix + item.name) for item in read(base / "model.safetensors")]
    order = np.random.default_rng(seed).permutation(len(entries))
    write_model(folder, [entries[i] for i in order], _config(base))


def _config(base: Path) -> dict[str, object]:
    config: dict[str, object] = json.loads((base / "config.json").read_text(encoding="utf-8"))
    return config
