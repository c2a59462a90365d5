"""What every rival offers: a look at each model once, then a score for any pair of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class NotRunError(Exception):
    """A rival cannot run here: no interpreter it accepts, an installation that failed, a process that died."""


@dataclass(frozen=True)
class Score:
    """What a rival says about one pair.

    Attributes:
        score: Higher means more related; NaN if it abstained.
        linked: Its verdict by its own default threshold; None if it has none.
        abstained: It could not compare the two. Counted as not linked.
        seconds: How long the comparison took, without what `prepare` did.
        note: Why it abstained.
    """

    score: float
    linked: bool | None
    abstained: bool
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class Cost:
    """What one model's fingerprint took.

    Attributes:
        seconds: Wall clock.
        size: Bytes that have to be kept to compare it later.
        failure: Why there is none; empty if there is one.
    """

    seconds: float
    size: int
    failure: str = ""


@dataclass(frozen=True)
class Usage:
    """What a rival's process took: seconds until its first answer (imports, above all), and resident bytes then and at most."""

    start_up: float
    memory_at_start: int
    peak_memory: int


class Rival(Protocol):
    """A tool or a method. After `prepare`, `costs` has every model."""

    name: str
    costs: dict[Path, Cost]

    def prepare(self, models: Sequence[Path]) -> None:
        """Look at each model once.

        Raises:
            NotRunError: The rival cannot run here.
        """

    def score(self, a: Path, b: Path) -> Score:
        """Compare two prepared models: is `a` (the suspect) related to `b` (the candidate)?"""

    def usage(self) -> Usage:
        """What its process has taken so far."""

    def close(self) -> None:
        """End the process."""
