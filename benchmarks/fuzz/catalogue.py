"""All parsers that are fuzzed."""

from benchmarks.fuzz import containers, fingerprints, folders, packed, servers
from benchmarks.fuzz.harness import Harness

HARNESSES: tuple[Harness, ...] = (
    *containers.HARNESSES,
    *folders.HARNESSES,
    *packed.HARNESSES,
    *servers.HARNESSES,
    *fingerprints.HARNESSES,
)


def harness(name: str) -> Harness:
    """Return one by its name."""
    return next(each for each in HARNESSES if each.name == name)
