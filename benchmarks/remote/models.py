"""The models of the benchmark: of every size a base, what was made of it, and a stranger."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks import real_models
from benchmarks.remote.repository import Repository
from benchmarks.remote.shapes import SHAPES
from benchmarks.remote.weights import Changed, Permuted, Random, Stored, Weights

REAL = "135M"
_REAL_MODEL = "smollm2-135m-instruct-bf16"

RELATIONS: Mapping[str, bool] = {"fine-tuned": True, "continued": True, "disguised": True, "stranger": False}
"""What a suspect is to the base, and whether that is a link."""

FINE_TUNING = 0.02
"""How far a fine-tune is from its base, relative to the weights."""

TRAINING = 0.3
"""The same of a model whose pre-training was continued."""


def models(size: str, folder: Path, cache: Path) -> dict[str, Repository]:
    """Return the base and its suspects.

    Args:
        size: One of `SHAPES`.
        folder: Where the real model is, or is made.
        cache: Where what it is made from is kept.
    """
    shape = SHAPES[size]
    base = _base(size, folder, cache)
    disguised = Permuted(base, f"{size} disguise", shape.permuted())
    found: dict[str, Weights] = {
        "base": base,
        "fine-tuned": Changed(base, f"{size} fine-tuning", FINE_TUNING),
        "continued": Changed(base, f"{size} training", TRAINING),
        "disguised": Changed(disguised, f"{size} fine-tuning", FINE_TUNING),
        "stranger": Random(f"{size} stranger"),
    }
    return {relation: Repository(_name(size, relation), shape, weights) for relation, weights in found.items()}


def _base(size: str, folder: Path, cache: Path) -> Weights:
    if size != REAL:
        return Random(f"{size} base")
    return Stored(real_models.make(_REAL_MODEL, folder, cache) / "model.safetensors")


def _name(size: str, relation: str) -> str:
    return f"benchmark/{size.lower()}-{relation}"
