"""What became of one of many fingerprints."""

from dataclasses import dataclass
from typing import Literal

from tensorguard.errors import TensorGuardError
from tensorguard.fingerprint.base import Fingerprint


@dataclass(frozen=True, slots=True)
class FingerprintOutcome:
    """A model, and either its fingerprint or why there is none.

    Attributes:
        model: Where it is, as given.
        status: `done`, `finished before` or `failed`.
        fingerprint: The fingerprint; None if it failed.
        error: Why it failed; None otherwise.
    """

    model: str
    status: Literal["done", "finished before", "failed"]
    fingerprint: Fingerprint | None = None
    error: TensorGuardError | None = None
