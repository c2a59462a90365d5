"""What TensorGuard says of a container: against the original, against what its library reads back, against an unrelated model."""

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

import tensorguard
from benchmarks.containers.base import Container, Original, UnfitError, save
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.file import read_fingerprint, write_fingerprint
from tensorguard.lineage.verdict import LINKED, Lineage, compare_lineage

SETTINGS = tensorguard.Settings(
    tensorguard.Specification(tensorguard.ProbeSpec(repeats=1, strategies=("gaussian",)), per_category=1)
)
"""As little as can be asked of the 16 numbers, which are not what is looked at here."""

SMALL = 10**7
"""Models of more numbers are not compared with what was read back and rounded to bfloat16: it takes a third of the time."""

_SAME = ("identical", "same-weights")
_CHILD = {"first from second": "container", "second from first": "original", "unknown": "neither"}


@dataclass(frozen=True)
class Outcome:
    """What came out of one model in one container; verdicts come with their kinds, as `derived: quantised`.

    Attributes:
        lossless: Whether the container holds the original's values bit by bit.
        original: The verdict against the original.
        direction: Which of the two is named the child: `container`, `original` or `neither`.
        decoded: The verdict against a file of what the library reads back, in float32.
        halves: The same rounded to bfloat16; empty of large models.
        stranger: The verdict against an unrelated model of the same shapes; empty if none was given.
        equal: How many trained matrices have the digests of what the library reads back.
        matrices: How many there are.
    """

    lossless: bool
    original: str
    direction: str
    decoded: str
    halves: str
    stranger: str
    equal: int
    matrices: int

    def faults(self) -> list[str]:
        """Return what is not as it should be, in words."""
        found = []
        if self.lossless and self.original not in _SAME:
            found.append(f"the same values are called {self.original}")
        if not self.lossless and not self.original.startswith(("derived: quantised", "derived: cast")):
            found.append(f"rounded values are called {self.original}")
        if not self.lossless and self.direction != "container":
            found.append("the original is named the child" if self.direction == "original" else "neither is named the child")
        if self.decoded not in _SAME:
            found.append(f"what the library reads back is called {self.decoded}, {self.equal} of {self.matrices} equal")
        if self.halves not in ("", "derived: cast", "derived", *_SAME):  # nothing is named where norms alone were rounded
            found.append(f"the same rounded to bfloat16 is called {self.halves}")
        if self.stranger.partition(":")[0] in (*LINKED, "shares-components"):
            found.append(f"a stranger is called {self.stranger}")
        return found


def make(model: Original, container: Container, folder: Path) -> None:
    """Write a model into a container, and leave fingerprints of it and of what the library reads back; or why it does not fit.

    Args:
        model: The model.
        container: The container.
        folder: Where the fingerprints go; made. The files are taken away again.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        place, made = Path(scratch) / "packed", Path(scratch) / "made"
        place.mkdir()
        made.mkdir()
        try:
            meant = container.write(model, place)
        except UnfitError as reason:
            facts: dict[str, bool | str] = {"unfit": str(reason)}
        else:
            (place / "config.json").write_text(json.dumps(dict(model.config) | dict(container.config)))
            plain: Mapping[str, torch.Tensor] = meant or model.tensors
            write_fingerprint(made / "packed.tgfp", fingerprint(place))
            write_fingerprint(made / "decoded.tgfp", fingerprint(save(Path(scratch) / "decoded", plain, model.config)))
            if sum(value.numel() for value in plain.values()) < SMALL:
                short = {name: value.bfloat16() for name, value in plain.items()}
                write_fingerprint(made / "halves.tgfp", fingerprint(save(Path(scratch) / "halves", short, model.config)))
            facts = {"lossless": meant is None}
        (made / "facts.json").write_text(json.dumps(facts))
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)


def judge(folder: Path, known: Fingerprint, stranger: Fingerprint | None) -> Outcome | str:
    """Compare the fingerprints that `make` left; return why there are none where the model does not fit."""
    facts = json.loads((folder / "facts.json").read_text())
    if "unfit" in facts:
        return str(facts["unfit"])
    ours, plain = (read_fingerprint(folder / f"{name}.tgfp") for name in ("packed", "decoded"))
    short = read_fingerprint(folder / "halves.tgfp") if (folder / "halves.tgfp").exists() else None
    original, decoded = compare_lineage(ours, known), compare_lineage(ours, plain)
    return Outcome(
        lossless=facts["lossless"],
        original=said(original),
        direction=_CHILD[original.direction],
        decoded=said(decoded),
        halves=said(compare_lineage(short, ours)) if short else "",
        stranger=said(compare_lineage(ours, stranger)) if stranger else "",
        equal=decoded.identity.equal if decoded.identity else 0,
        matrices=decoded.identity.comparable if decoded.identity else 0,
    )


def place_of(folder: Path, model: str, container: str) -> Path:
    """Return where the fingerprints of a model in a container lie."""
    return folder / model / re.sub(r"[^a-z0-9]+", "-", container.lower())


def fingerprint(path: Path) -> Fingerprint:
    """Return a model's fingerprint, made by one worker."""
    return tensorguard.fingerprint_model(path, settings=SETTINGS, workers=1)


def said(lineage: Lineage) -> str:
    """Return a verdict with its kinds."""
    return ": ".join((lineage.verdict, ", ".join(kind.name for kind in lineage.kinds))) if lineage.kinds else lineage.verdict
