"""What a model's ancestors oblige to: the duties of all of them, each with why it applies."""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorguard.licences.licence import Duty
from tensorguard.lineage.scan import Scan
from tensorguard.registry.entry import Entry


@dataclass(frozen=True, slots=True)
class Obligation:
    """A duty and the ancestor that it comes from.

    Attributes:
        licence: Licence id.
        duty: The duty; None if the licence is not known to us and has to be read.
        ancestor: Name of the model whose licence it is.
        through: The chain from the model in question to that ancestor, names in order, both ends apart; empty if it is direct.
        measured: Whether the link to the ancestor was measured on weights (else it is what the registry or the catalogue says of its
            parents).
    """

    licence: str
    duty: Duty | None
    ancestor: str
    through: tuple[str, ...]
    measured: bool


def obligations(scan: Scan, known: Sequence[Entry]) -> tuple[Obligation, ...]:
    """Return the duties of all ancestors that a scan found, of merges all parents', of chains all along the chain.

    Args:
        scan: The scan.
        known: The registry's entries; with the catalogue they tell the parents of the parents and the licences.
    """
    raise NotImplementedError
