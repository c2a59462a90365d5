"""What an attack is: files that are made in an empty folder, the command that meets them, and what it has to say."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Make = Callable[[Path], list[object]]


@dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes:
        what: What it attacks, for the index.
        make: Writes its files into an empty folder and returns the command's arguments.
        words: What the error says, or what is printed if it is no error.
        code: The exit code.
        slow: Whether it reads weights or imports much: not held to the memory of a look at a header, but to that of a command.
    """

    what: str
    make: Make
    words: str
    code: int = 3


def inspected(name: str, raw: bytes) -> Make:
    """One file that is inspected."""

    def make(folder: Path) -> list[object]:
        (folder / name).write_bytes(raw)
        return ["inspect", folder / name]

    return make


def folder_of(*command: object, **files: bytes) -> Make:
    """A folder of files, named with `__` for a dot and `_s_` for a dash."""

    def make(folder: Path) -> list[object]:
        for name, raw in files.items():
            (folder / name.replace("__", ".").replace("_s_", "-")).write_bytes(raw)
        return [*(command or ("inspect",)), folder]

    return make
