"""Search in a large registry: recall against exact search, latency, time to build the index, disk and memory.

    python -m benchmarks.registry [--entries 1000000] [--bases 1] [--keep DIR]

Entries are made up, but not as uniform noise. Parents lie like real ones: a common direction, a spectrum that decays, and a few clouds
of models that share a design. Families have 1 to 200 members (Zipf), most derived from the parent and some from another derivative, at
cosines from 0.5 to 0.99, and one model in a hundred is there many times as an exact copy. Queries are new derivatives. Everything goes
through `Registry`; only the fingerprints' files are left out.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from tensorguard.registry.entry import Entry, Facts
from tensorguard.registry.registry import DATABASE, Registry
from tensorguard.registry.rows import Row
from tensorguard.registry.vectors import BASES, DIGESTS, DIMENSIONS

QUERIES = 500
TOP = 10
BATCH = 50_000
CLOUDS = 40

UNKNOWN = tuple(range(2**60, 2**60 + DIGESTS))
"""Digests that no entry has: a derivative of which every tensor was changed."""

Array = NDArray[np.float32]


class Models:
    """Search vectors of made-up models."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.spectrum = (1 / np.sqrt(1 + np.arange(DIMENSIONS) / 32)).astype(np.float32)
        self.common = _unit(self._noise(1))[0]
        self.clouds = _unit(self._noise(CLOUDS))

    def family(self) -> Array:
        """The vectors of a parent and of what is derived from it."""
        cloud = self.clouds[self.rng.integers(CLOUDS)]
        parent = _unit(0.15 * self.common + 0.3 * cloud + _unit(self._noise(1)))
        members = min(int(self.rng.zipf(1.5)), 200) - 1
        children = np.concatenate([parent, self.derived(parent.repeat(members - members // 5, axis=0))])
        family = np.concatenate([children, self.derived(self.rng.choice(children, members // 5))])
        if self.rng.random() < 0.01:
            family[self.rng.random(len(family)) < 0.5] = parent
        return family

    def derived(self, parents: Array) -> Array:
        """One new derivative of each parent, at a cosine from 0.5 to 0.99."""
        cosines = self.rng.uniform(0.5, 0.99, (len(parents), 1)).astype(np.float32)
        away = self._noise(len(parents))
        away = _unit(away - (away * parents).sum(1, keepdims=True) * parents)
        return cosines * parents + np.sqrt(1 - cosines**2) * away

    def entries(self, count: int) -> Array:
        """Families, one after the other, as many as it takes."""
        found, have = [], 0
        while have < count:
            found.append(self.family())
            have += len(found[-1])
        return self.rng.permutation(np.concatenate(found)[:count])

    def _noise(self, count: int) -> Array:
        return self.rng.standard_normal((count, DIMENSIONS), np.float32) * self.spectrum


def _unit(vectors: Array) -> Array:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def rows(vectors: list[Array], start: int) -> Iterator[Row]:
    for at in range(len(vectors[0])):
        number = start + at
        facts = Facts(repository=f"org{number % 5000}/model-{number}", licence="apache-2.0")
        entry = Entry(
            f"model-{number}", "public", facts, f"{number:032x}", f"{number:064x}", "synthetic", added="2026-01-01T00:00:00Z"
        )
        yield Row(entry, {basis: each[at] for basis, each in zip(BASES, vectors, strict=False)}, (number // 3, -number))


def exact(vectors: list[Array], queries: list[Array]) -> Array:
    """The largest `TOP` similarities of each query, by brute force in single precision; the largest over all bases counts."""
    best = []
    for start in range(0, QUERIES, 25):
        few = slice(start, start + 25)
        scores = queries[0][few] @ vectors[0].T
        for each, query in zip(vectors[1:], queries[1:], strict=True):
            np.maximum(scores, query[few] @ each.T, out=scores)
        best.append(np.partition(scores, scores.shape[1] - TOP, axis=1)[:, -TOP:])
    return np.concatenate(best)


def measure(folder: Path, entries: int, bases: int, console: Console) -> None:
    models = [Models(seed) for seed in range(bases)]
    vectors = [each.entries(entries) for each in models]
    registry = Registry(folder, create=True)
    started = time.perf_counter()
    for start in range(registry.count(), entries, BATCH):
        registry.insert(rows([each[start : start + BATCH] for each in vectors], start))
    inserted = time.perf_counter() - started
    started = time.perf_counter()
    registry.build_index(least=0)
    built = time.perf_counter() - started
    registry.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    rng = np.random.default_rng(99)
    parents = rng.integers(entries, size=QUERIES)
    queries = [model.derived(each[parents]) for model, each in zip(models, vectors, strict=True)]
    truth = exact(vectors, queries)
    before = _resident()
    registry = Registry(folder)
    seconds, processor, recalls, origins = [], time.process_time(), [], []
    for at in range(QUERIES):
        own = {basis: query[at] for basis, query in zip(BASES, queries, strict=False)}
        started = time.perf_counter()
        hits = registry.search_by("public", own, UNKNOWN, TOP)
        seconds.append(time.perf_counter() - started)
        worst = truth[at].min() - 1e-3  # equal cosines, up to float16, are as good
        recalls.append(sum(hit.similarity >= worst for hit in hits) / TOP)
        origins.append(any(hit.entry.name == f"model-{parents[at]}" for hit in hits))
    processor = (time.process_time() - processor) / QUERIES
    words = [_asked(registry, word) for word in (f"model-{entries // 2}", "apache", "nowhere")]
    disk = {name: sum(p.stat().st_size for p in folder.glob(name)) / 1e6 for name in (DATABASE, "index/*.vectors")}
    table = Table("what", "measured", title=f"{entries} entries, bases: {bases}, {DIMENSIONS} dimensions, {QUERIES} queries")
    p50, p99 = np.percentile(1e3 * np.array(seconds[1:]), [50, 99])
    for what, value in {
        "inserted": f"{inserted:.0f} s",
        "index built": f"{built:.0f} s",
        f"recall@{TOP}": f"{np.mean(recalls):.4f}",
        "derivative's own parent among them": f"{np.mean(origins):.4f}",
        "search, p50 / p99": f"{p50:.1f} / {p99:.1f} ms",
        "words: of one entry / of all / of none": " / ".join(f"{1e3 * each:.0f}" for each in words) + " ms",
        "processor time of a search": f"{1e3 * processor:.1f} ms",
        "first search (index opened and read)": f"{1e3 * seconds[0]:.0f} ms",
        "database": f"{disk[DATABASE]:.0f} MB",
        "index": f"{disk['index/*.vectors']:.0f} MB",
        "memory gained by searching": f"{_resident() - before:.0f} MB",
        "peak memory of inserting and building, the made-up vectors included": f"{peak:.0f} MB",
    }.items():
        table.add_row(what, value)
    console.print(table)
    registry.close()


def _asked(registry: Registry, word: str) -> float:
    """Return how many seconds a page of what holds a word takes, in which such pages were read before."""
    registry.page([word])
    started = time.perf_counter()
    registry.page([word])
    return time.perf_counter() - started


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.registry", description=str(__doc__).splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--bases", type=int, default=1, choices=range(1, len(BASES) + 1))
    parser.add_argument("--keep", type=Path, help="make the registry here, or measure the one that an earlier run left here")
    arguments = parser.parse_args()
    console = Console(file=sys.stdout, width=120)
    with tempfile.TemporaryDirectory() as folder:
        measure(arguments.keep or Path(folder), arguments.entries, arguments.bases, console)


if __name__ == "__main__":
    main()
