"""Two models and how they are related: what reports are made of."""

from dataclasses import dataclass

from tensorguard.fingerprint.base import Coverage
from tensorguard.lineage.deep.base import Deep
from tensorguard.lineage.verdict import Lineage


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models and how they are related.

    Attributes:
        first: Name of the first.
        second: Name of the second.
        lineage: What their fingerprints say.
        key: Whose probes the fingerprints were made with: `public`, or which secret key; None where one holds no sketches.
        deep: What reading both models says; None where it was not asked for.
        coverage: Of the first and of the second, how much was read; None: all.
    """

    first: str
    second: str
    lineage: Lineage
    key: str | None = None
    deep: Deep | None = None
    coverage: tuple[Coverage | None, Coverage | None] = (None, None)
