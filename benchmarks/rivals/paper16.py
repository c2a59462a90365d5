"""The paper's own fingerprint (arXiv 2506.01631) as this project computes it: 16 numbers, distance after standardising over the set."""

from dataclasses import replace
from pathlib import Path

import msgspec

from benchmarks.rivals.serving import Answer, serve
from tensorguard import Fingerprint, Settings, fingerprint_model
from tensorguard.family.similarity import compare
from tensorguard.fingerprint.features import vector


class Paper16:
    """The score is minus the distance. Standardised over all the models prepared, so `prepare` all of them first."""

    def __init__(self) -> None:
        self._prints: dict[Path, Fingerprint] = {}
        self._distances: dict[tuple[Path, Path], float] = {}

    def prepare(self, model: Path) -> int:
        found = fingerprint_model(model, settings=Settings(lineage=False, search=(model.parent,)), workers=1)
        self._prints[model] = found
        return len(msgspec.json.encode(found.features))

    def compare(self, a: Path, b: Path) -> Answer:
        if not self._distances:
            self._distances = self._measure()
        return Answer(-self._distances[a, b])

    def _measure(self) -> dict[tuple[Path, Path], float]:
        paths = sorted(self._prints)
        # The comparison sorts by name: numbered, so that two folders of one name stay apart.
        vectors = [replace(vector(self._prints[path]), name=f"{n:08}") for n, path in enumerate(paths)]
        rows = compare(vectors).distances
        return {(a, b): rows[i][j] for i, a in enumerate(paths) for j, b in enumerate(paths)}


if __name__ == "__main__":
    serve(Paper16)
