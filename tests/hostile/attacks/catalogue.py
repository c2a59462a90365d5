"""All attacks: by one file, by a folder, and the files that fuzzing found (`found/`)."""

from pathlib import Path

from hostile.attacks import containers, folders
from hostile.attacks.attack import Attack

_FOUND = Path(__file__).parent / "found"

FOUND: dict[str, Attack] = {}
"""What fuzzing found, as it was found: (file in `found`, what its error says)."""

ATTACKS: dict[str, Attack] = {**containers.ATTACKS, **folders.ATTACKS, **FOUND}


def index() -> str:
    """Return the index of all attacks as a table."""
    rows = [
        f"| {name} | {each.what} | {each.code} | {each.words.replace('|', '/')} |" for name, each in sorted(ATTACKS.items())
    ]
    return "\n".join(["| attack | of what | exit code | words |", "|---|---|---|---|", *rows, ""])
