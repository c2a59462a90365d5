"""What became of one of many merges."""

from dataclasses import dataclass

from tensorguard.errors import TensorGuardError
from tensorguard.merge.write import MergeResult


@dataclass(frozen=True, slots=True)
class MergeOutcome:
    """A model, and either its result or why there is none.

    Attributes:
        model: Where it is, as given.
        result: What was written; None if it failed.
        error: Why it failed; None otherwise.
    """

    model: str
    result: MergeResult | None = None
    error: TensorGuardError | None = None
