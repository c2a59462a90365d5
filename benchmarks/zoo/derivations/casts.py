"""The same weights in fewer bits of floating point."""

from collections.abc import Callable
from dataclasses import replace

from numpy.random import Generator

from benchmarks.zoo.derivations.checkpoint import Checkpoint, Facts


def to(dtype: str) -> Callable[[Checkpoint, Generator], tuple[Checkpoint, Facts]]:
    """Store as `dtype`, a name of torch's."""
    return lambda checkpoint, _random: (replace(checkpoint, dtype=dtype), Facts())
