"""What a fingerprint was made with. Only fingerprints of one specification may be compared."""

from dataclasses import dataclass, field

from tensorguard.probes.catalogue import PAPER
from tensorguard.probes.inputs import ProbeSpec

METHOD = "tensorguard-moments-1"
"""Name and version of the computation; it changes whenever the same weights would give other numbers."""


@dataclass(frozen=True, slots=True)
class Specification:
    """Settings that determine the 16 numbers of given weights.

    Attributes:
        probes: The inputs.
        per_category: How many layers of each category are asked; None for all.
    """

    probes: ProbeSpec = field(default_factory=ProbeSpec)
    per_category: int | None = 3

    def __str__(self) -> str:
        strategies = "paper" if self.probes.strategies == PAPER else "+".join(self.probes.strategies)
        return (
            f"{METHOD};strategies={strategies};repeats={self.probes.repeats};seed={self.probes.seed}"
            f";layers={self.per_category or 'all'}"
        )
