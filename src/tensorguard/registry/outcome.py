"""What became of the models that were to be put into a registry, and what was found of the entries that were looked at."""

from dataclasses import dataclass
from typing import Literal

from tensorguard.errors import TensorGuardError
from tensorguard.registry.entry import Entry

Addition = Literal["added", "replaced", "facts changed", "there already", "not at hand", "failed"]
Condition = Literal["sound", "confirmed", "not at hand", "failed", "damaged", "contradicted"]


@dataclass(frozen=True, slots=True)
class Added:
    """What became of one model, fingerprint, entry of an archive or row of a catalogue.

    Attributes:
        given: As it was given.
        status: What was done.
        entries: Its entries now: the public one, and that of the secret key if one was given.
        error: Why there is none.
    """

    given: str
    status: Addition
    entries: tuple[Entry, ...] = ()
    error: TensorGuardError | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found of one entry.

    Attributes:
        entry: The entry, as it is now.
        status: `sound`: its file is the one that was stored. `confirmed`: the weights at hand give this fingerprint. `not at hand`: its
            file is sound, the weights were not found. `failed`: the weights found cannot be read. `damaged`: its file is missing or is
            not the one that was stored. `contradicted`: the weights give another fingerprint.
        reason: Why, if it is not sound or confirmed.
    """

    entry: Entry
    status: Condition
    reason: str = ""
