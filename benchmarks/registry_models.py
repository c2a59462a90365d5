"""Made-up entries of a registry whose search vectors lie as those of real models do.

Measured on the 966 fingerprints of the zoo and of real models: vectors of models that were trained apart are isotropic in each basis
(pairwise cosines of mean 0.00 and standard deviation 0.063 = 1 / sqrt(256), flat spectrum), and what a derivation adds to a parent's
vector has no direction of its own (cosine 0.02 between siblings' additions). What is left is how far a derivative lies from its parent
in each basis, jointly: `registry_cosines.csv` has that of the zoo's 758 derivatives of one parent (median 0.995, a tenth below 0.58,
copies at 1). A made-up derivative takes the three cosines of one of them, and a random direction.

    python -m benchmarks.registry_models ZOO FINGERPRINTS > benchmarks/registry_cosines.csv
"""

import csv
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tensorguard.fingerprint.file import SUFFIX, read_fingerprint
from tensorguard.registry.entry import Entry, Facts
from tensorguard.registry.rows import Row
from tensorguard.registry.vectors import BASES, DIGESTS, DIMENSIONS, search_vectors

TABLE = Path(__file__).with_name("registry_cosines.csv")
LARGEST = 200
"""Members of the largest family."""

UNKNOWN = tuple(range(2**60, 2**60 + DIGESTS))
"""Digests that no entry has: a derivative of which every tensor was changed."""

Array = NDArray[np.float32]


class Models:
    """Search vectors of made-up models: float32 of shape (models, bases, DIMENSIONS)."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        with TABLE.open() as file:
            lost = [[float(row[basis]) for basis in BASES] for row in csv.DictReader(file)]
        self.cosines = 1 - np.array(lost, np.float32)

    def strangers(self, count: int) -> Array:
        """Models that are derived from nothing known."""
        return _unit(self.rng.standard_normal((count, len(BASES), DIMENSIONS), np.float32))

    def derived(self, parents: Array) -> Array:
        """One new derivative of each parent."""
        cosines = self.cosines[self.rng.integers(len(self.cosines), size=len(parents))][:, :, None]
        away = self.strangers(len(parents))
        away = _unit(away - (away * parents).sum(2, keepdims=True) * parents)
        return cosines * parents + np.sqrt(np.maximum(1 - cosines**2, 0)) * away

    def families(self, count: int) -> tuple[Array, list[int]]:
        """Families of 1 to `LARGEST` (Zipf): a parent, its derivatives, and derivatives of these; and whose child each model is."""
        found: list[Array] = []
        parents: list[int] = []
        while len(parents) < count:
            start, members = len(parents), min(int(self.rng.zipf(1.5)), LARGEST)
            parent = self.strangers(1)
            near = self.derived(parent.repeat(members - members // 5 - 1, axis=0))
            family = np.concatenate([parent, near])
            of = self.rng.integers(len(family), size=members // 5)
            found += [family, self.derived(family[of])]
            parents += [-1, *[start] * len(near), *(start + of).tolist()]
        return np.concatenate(found)[:count], parents[:count]


def rows(models: Models, start: int, count: int, prints: list[Entry]) -> Iterator[Row]:
    """Yield entries with names, facts and vectors; their fingerprints are some real ones, in turn."""
    vectors, parents = models.families(count)
    for at, (vector, parent) in enumerate(zip(vectors, parents, strict=True)):
        number = start + at
        facts = Facts(
            repository=name(number),
            family=f"family-{number % 997}",
            publisher=f"org{number % 5000}",
            licence="apache-2.0",
            parents=() if parent < 0 else (name(start + parent),),
            relation="" if parent < 0 else "finetune",
        )
        print_ = prints[number % len(prints)]
        entry = Entry(
            name(number),
            "public",
            facts,
            print_.source_digest,
            print_.fingerprint,
            print_.specification,
            added="2026-01-01T00:00:00Z",
        )
        yield Row(entry, dict(zip(BASES, vector, strict=True)), (number // 3, -number - 1))


def name(number: int) -> str:
    """Return what the entry of a number is called."""
    return f"org{number % 5000}/model-{number}"


def as_query(vectors: Array) -> Mapping[str, Array]:
    return dict(zip(BASES, vectors, strict=True))


def _unit(vectors: Array) -> Array:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(lengths, np.float32(1e-12))


def main() -> None:
    """Print the table: what of 1 is lost to the cosine of each of the zoo's derivatives with its one parent."""
    zoo, prints = map(Path, sys.argv[1:3])
    found = {}
    for path in sorted(prints.glob(f"*{SUFFIX}")):
        sketches = read_fingerprint(path).sketches
        if sketches is not None:
            found[path.name.removesuffix(SUFFIX)] = search_vectors(sketches)
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["kind", *BASES])
    for child, vectors in found.items():
        path = zoo / child / "zoo.json"
        said = json.loads(path.read_text()) if path.exists() else {}
        parents = list(said.get("parents") or ())
        if len(parents) == 1 and parents[0] in found:
            own = found[parents[0]]
            pairs = [(vectors.get(basis), own.get(basis)) for basis in BASES]
            lost = [1.0 if a is None or b is None else max(1 - float(a @ b), 0.0) for a, b in pairs]
            table.writerow([said["kind"], *(f"{each:.3g}" for each in lost)])


if __name__ == "__main__":
    main()
