"""Who is timed on a checkpoint: reading and hashing, this tool, the published method, and the rivals that a user can install."""

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rivals import modeldna, provenance_kit
from benchmarks.rivals.base import NotRunError
from benchmarks.rivals.environment import environment, find_python, this_python

FINGERPRINT = "tensorguard fingerprint"


@dataclass(frozen=True)
class Contestant:
    """A command line.

    Attributes:
        name: What tables call it.
        command: Makes it from the model's folder and an empty folder for its output.
        largest: Largest checkpoint that it is given, in GB.
    """

    name: str
    command: Callable[[Path, Path], Sequence[str]]
    largest: float = float("inf")


def contestants(environments: Path, *, rivals: bool) -> Iterator[Contestant | NotRunError]:
    """Give those that can run here, and for each that cannot, why."""
    yield Contestant("cat", lambda model, _: ["cat", *map(str, files(model))])
    for tool in ("sha256sum", "b3sum"):
        if shutil.which(tool):
            yield Contestant(tool, lambda model, _, tool=tool: [tool, *map(str, files(model))])
        else:
            yield NotRunError(f"{tool} is not installed")
    ours = [sys.executable, "-m", "tensorguard", "fingerprint", "--quiet", "--json"]
    yield Contestant(FINGERPRINT, lambda model, out: [*ours, str(model), "-o", str(out)])
    yield Contestant(f"{FINGERPRINT} --no-lineage", lambda model, out: [*ours, "--no-lineage", str(model), "-o", str(out)])
    published = [sys.executable, "-m", "benchmarks.published"]
    yield Contestant("the published method", lambda model, _: [*published, *map(str, files(model))], largest=0.3)
    if rivals:
        yield from _rivals(environments)


def _rivals(environments: Path) -> Iterator[Contestant | NotRunError]:
    try:
        dna = environment(modeldna.REQUIREMENT, this_python(), environments).with_name("modeldna")
        for mode in ((), ("--full",)):
            name = " ".join(("modeldna fingerprint", *mode))
            yield Contestant(
                name,
                lambda model, out, mode=mode: [str(dna), "fingerprint", *mode, str(model), "-o", str(out / "it.json.gz")],
                largest=1 if mode else 20,
            )
    except NotRunError as reason:
        yield reason
    try:
        made = environment(provenance_kit.REQUIREMENT, find_python(provenance_kit.PYTHONS), environments)
        kit = str(made.with_name("provenancekit"))
        # It has no command for one model alone: compared with itself it is read once.
        yield Contestant("provenancekit compare", lambda model, _: [kit, "compare", "--no-cache", str(model), str(model)])
    except NotRunError as reason:
        yield reason


def files(model: Path) -> list[Path]:
    """Return a checkpoint's weights."""
    return sorted(model.glob("*.safetensors"))
