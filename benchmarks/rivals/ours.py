"""This tool: the lineage fingerprint at its defaults, and the verdict of `tensorguard compare`."""

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmarks.rivals.serving import AbstainError, Answer, serve
from tensorguard import Settings, fingerprint_model, read_fingerprint, write_fingerprint
from tensorguard.lineage.verdict import LINKED, compare_lineage

HELD = 16
"""Fingerprints in memory at once, as for modelDNA."""
SAME = 1e6
"""Score of equal weights, where no p-value is needed."""


class Ours:
    """The score is minus log10 of the corrected p-value; linked if the verdict says that the two are of one family."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._files: dict[Path, Path] = {}
        self._load: Any = lru_cache(HELD)(read_fingerprint)

    def prepare(self, model: Path) -> int:
        file = Path(self._folder.name) / f"{len(self._files)}.tgfp"
        write_fingerprint(file, fingerprint_model(model, settings=Settings(search=(model.parent,)), workers=1))
        self._files[model] = file
        return file.stat().st_size

    def compare(self, a: Path, b: Path) -> Answer:
        found = compare_lineage(self._load(self._files[a]), self._load(self._files[b]))
        if found.verdict in ("identical", "same-weights"):
            return Answer(SAME, True)
        if found.evidence is None:
            raise AbstainError("a fingerprint without sketches")
        return Answer(-found.log10_p, found.verdict in LINKED)


if __name__ == "__main__":
    serve(Ours)
