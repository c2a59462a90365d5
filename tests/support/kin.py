"""A family of small models and a stranger, for everything that is said of lineage."""

from pathlib import Path

import numpy as np

from support.checkpoints import Arrays, llama, numbers, save

WIDE, DEEP, TOKENS = 64, 6, 2048


def kin() -> dict[str, Arrays]:
    """Return models by name: a base, two fine-tunes, what was made of them, and a stranger."""
    base = model(7)
    tuned = {name: moved(base, name) for name in ("tuned-a", "tuned-b")}
    blended = {name: 0.7 * tuned["tuned-a"][name] + 0.3 * tuned["tuned-b"][name] for name in base}
    stitched = {name: tuned["tuned-a" if "layers" not in name or _block(name) < 4 else "tuned-b"][name] for name in base}
    return {
        "base": base,
        **tuned,
        "blended": blended,
        "stitched": stitched,
        "coarse": {name: coarse(value) for name, value in base.items()},
        "shallow": {_renumbered(name): value for name, value in base.items() if _block(name) != 2},
        "stranger": model(8),
    }


def model(seed: int) -> Arrays:
    """Return a model of llama's shape whose numbers lie on no grid."""
    plain = llama(seed, width=WIDE, blocks=DEEP)
    tables = {name: numbers(name, TOKENS, WIDE, seed=seed) for name in ("model.embed_tokens.weight", "lm_head.weight")}
    return moved(plain | tables, f"off the grid {seed}", 0.003)


def write(folder: Path) -> Path:
    """Write them, a folder each."""
    for name, tensors in kin().items():
        save(folder / name, {key: value.astype(np.float32) for key, value in tensors.items()})
    return folder


def moved(base: Arrays, name: str, size: float = 0.05) -> Arrays:
    """Return a fine-tune: every weight moved by so much of what it may be."""
    return {key: value + np.float32(size) * numbers(f"{name}.{key}", *value.shape) for key, value in base.items()}


def coarse(values: np.ndarray) -> np.ndarray:
    """Return matrices rounded to 4 bits, a scale per row; vectors as they are."""
    if values.ndim < 2:
        return values
    scale = np.abs(values).max(axis=1, keepdims=True) / 7
    return (np.round(values / scale) * scale).astype(np.float32)


def _block(name: str) -> int:
    return int(name.split(".")[2]) if ".layers." in name else -1


def _renumbered(name: str) -> str:
    block = _block(name)
    return name.replace(f".{block}.", f".{block - 1}.", 1) if block > 2 else name
