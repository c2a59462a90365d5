"""What a parser is to the fuzzer: seeds, how one input is run, how inputs are changed; and inputs of several files in one."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import InputError

Mutator = Callable[[bytes, Random], bytes]

_PART = re.compile(rb"\n=== ([^\n/\\\0]{1,80})\n")
_MOST_PARTS = 12


@dataclass(frozen=True)
class Harness:
    """One parser.

    Attributes:
        name: What it is called on the command line.
        run: Takes one input; raises nothing but TensorGuardError.
        seeds: Gives the inputs to begin with.
        mutate: Changes an input in a way that plain changes of bytes would not get to; None if these do.
        longest: Bytes of the longest input.
        share: Its part of all executions, against 1 for most: less for what takes long.
        modules: Modules of tensorguard that it goes through: they and theirs are imported before the first input, and instrumented.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    mutate: Mutator | None = None
    longest: int = 8192
    share: float = 1.0
    modules: str = "formats.opening tensors.storage quantisations.unpacking"


class Memory:
    """Bytes as a source; like a file it serves no byte outside them, and says so by an InputError."""

    name, modified = "input", 0

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.raw)

    def read_at(self, offset: int, length: int) -> NDArray[np.uint8]:
        """Return a range; see `Source.read_at`."""
        if offset < 0 or length < 0 or offset + length > len(self.raw):
            raise InputError(f"bytes {offset} to {offset + length} lie outside its {len(self.raw)} bytes", where=self.name)
        return np.frombuffer(self.raw, np.uint8, length, offset).copy()


def joined(parts: Mapping[str, bytes]) -> bytes:
    """Return several files as one input."""
    return b"".join(b"\n=== " + name.encode() + b"\n" + raw for name, raw in parts.items())


def parted(data: bytes) -> dict[str, bytes]:
    """Return the files of an input; names lie in one folder."""
    pieces = _PART.split(data)[1 : 2 * _MOST_PARTS + 1]
    names = (name.decode("utf-8", "replace") for name in pieces[::2])
    return {name: raw for name, raw in zip(names, pieces[1::2], strict=True) if name not in (".", "..")}


def laid_out(folder: Path, data: bytes) -> Path:
    """Write the files of an input into an empty folder, which is made."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                os.unlink(entry.path)  # noqa: PTH108 - pathlib's takes several times as long
    except FileNotFoundError:
        folder.mkdir(parents=True)
    for name, raw in parted(data).items():
        with open(f"{folder}/{name}", "wb", buffering=0) as file:  # noqa: PTH123 - likewise
            file.write(raw)
    return folder
