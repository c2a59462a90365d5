"""How large models are, as far as their files' sizes tell: so that the largest begin first, and a view can say how long it will take."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from tensorguard.api.listing import Listed
from tensorguard.engines.base import Task
from tensorguard.errors import TensorGuardError
from tensorguard.formats import hub_cache

_WEIGHTS = (".safetensors", ".gguf", ".bin", ".pt", ".pth", ".onnx", ".onnx_data", ".data")
_Item = TypeVar("_Item")

_ASKING = 16
"""Threads: a file server is asked for thousands of sizes."""


def weigh(models: Sequence[Listed]) -> list[int]:
    """Return the bytes of each model's weight files; 0 for what is not on this machine or cannot be looked at."""
    with ThreadPoolExecutor(_ASKING) as pool:
        return list(pool.map(_bytes, models))


def longest_first(models: Sequence[_Item], sizes: Sequence[int]) -> list[Task[_Item]]:
    """Return tasks in an order that leaves no long one to the end, each with its share of the work from there on."""
    left, tasks = sum(sizes), []
    for number in sorted(range(len(models)), key=lambda number: -sizes[number]):
        tasks.append(Task(models[number], sizes[number] / left if left else 0.0))
        left -= sizes[number]
    return tasks


def _bytes(model: Listed) -> int:
    if isinstance(model.place, str) and not os.path.lexists(model.place):
        return 0
    path = Path(model.place)
    try:
        if path.is_file():
            return path.stat().st_size
        return sum(each.stat().st_size for each in hub_cache.snapshot(path).iterdir() if each.suffix in _WEIGHTS)
    except (OSError, TensorGuardError):
        return 0
