"""What became of one of many fingerprints: enough to tell of it, and where to read the rest, so that thousands can be told of."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from tensorguard.errors import TensorGuardError
from tensorguard.fingerprint.base import Coverage, Fingerprint


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list of fingerprints says of each; the attributes are those of `Fingerprint`, but for `layers`: how many were asked."""

    name: str
    architecture: str
    elements: int
    elements_read: int
    layers: int
    coverage: Coverage | None
    notices: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, found: Fingerprint) -> "Summary":
        """Return a fingerprint's."""
        return cls(
            name=found.name,
            architecture=found.architecture,
            elements=found.elements,
            elements_read=found.elements_read,
            layers=len(found.layers),
            coverage=found.coverage,
            notices=found.notices,
            skipped=found.skipped,
        )


@dataclass(frozen=True, slots=True)
class FingerprintOutcome:
    """A model, and either what its fingerprint is or why there is none.

    Attributes:
        model: Where it is, as given.
        status: `done`, `finished before` or `failed`.
        summary: What its fingerprint says in short; None if it failed.
        error: Why it failed; None otherwise.
        seconds: How long it took.
        nbytes: Size of the tensors that were read; 0 unless it was done now.
        read: Reads its fingerprint; None if it failed.
    """

    model: str
    status: Literal["done", "finished before", "failed"]
    summary: Summary | None = None
    error: TensorGuardError | None = None
    seconds: float = 0.0
    nbytes: int = 0
    read: Callable[[], Fingerprint] | None = field(default=None, repr=False, compare=False)

    @property
    def fingerprint(self) -> Fingerprint | None:
        """The fingerprint, read from its file now; None if it failed.

        Raises:
            NotFoundError: The file was removed since.
            InputError: It was changed since.
        """
        return None if self.read is None else self.read()
