"""Makes the registry of made-up entries that `benchmarks.registry` measures, and tells exactly what its searches should find."""

import resource
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.registry_models import Array, Models, rows
from tensorguard.fingerprint.file import SUFFIX, read_fingerprint
from tensorguard.registry.database import Database
from tensorguard.registry.entry import Entry, Facts
from tensorguard.registry.registry import DATABASE, Registry
from tensorguard.registry.rows import space, vectors_after, vectors_of
from tensorguard.registry.vectors import BASES, DIMENSIONS

PRINTS = 16
"""Fingerprints that all made-up entries share: a million of their own would take 300 GB."""
BATCH = 20_000
_BLOCK = 16_384


def make(folder: Path, entries: int, prints: Path) -> Mapping[str, float]:
    """Make, or go on making, a registry of so many entries; returns the seconds that it took, and the largest memory in MB."""
    registry = Registry(folder, create=True)
    smallest = sorted(prints.glob(f"*{SUFFIX}"), key=lambda path: (path.stat().st_size, path.name))[:PRINTS]
    real = [registry.add(read_fingerprint(path), Facts(), name=f"print-{at}") for at, path in enumerate(smallest)]
    started = time.perf_counter()
    for start in range(registry.count() - len(real), entries, BATCH):
        registry.insert(rows(Models(start), start, min(BATCH, entries - start), real))
    inserted = time.perf_counter() - started
    started = time.perf_counter()
    registry.build_index(least=0)
    built = time.perf_counter() - started
    registry.close()
    return {"inserted": inserted, "indexed": built, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def some(folder: Path, count: int, seed: int) -> tuple[Sequence[Entry], Array]:
    """Return some of the made-up entries and their stored vectors, as unit vectors."""
    rng = np.random.default_rng(seed)
    with Registry(folder) as registry:
        chosen = PRINTS + 1 + rng.choice(registry.count() - PRINTS, min(2 * count, registry.count() - PRINTS), replace=False)
        found = registry.by_id(chosen)
    made_up = [number for number in chosen.tolist() if number in found and "/model-" in found[number].name][:count]
    database = Database(folder / DATABASE, create=False)
    with database.reading() as connection:
        vectors = []
        for basis in BASES:
            place = space(connection, "public", basis, DIMENSIONS) or 0
            vectors.append(vectors_of(connection, place, DIMENSIONS, sorted(made_up))[1])
    database.close()
    whole = np.stack(vectors, axis=1)
    return [found[number] for number in sorted(made_up)], whole / np.linalg.norm(whole, axis=2, keepdims=True)


def exact(folder: Path, queries: Array, top: int) -> Array:
    """Return the similarities of the entries that a search by each query should find, by brute force over all that is stored.

    Of shape (queries, top), in no order.
    """
    best = np.full((len(queries), top), -1, np.float32)
    database = Database(folder / DATABASE, create=False)
    with database.reading() as connection:
        newest = int(connection.execute("SELECT max(id) FROM entry").fetchone()[0])
        places = [space(connection, "public", basis, DIMENSIONS) or 0 for basis in BASES]
        for start in range(0, newest, _BLOCK):
            scores = np.full((len(queries), _BLOCK), -1, np.float32)
            for at, place in enumerate(places):
                ids, vectors = vectors_after(connection, place, DIMENSIONS, start, _BLOCK)
                inside = ids <= start + _BLOCK
                where = ids[inside] - start - 1
                scores[:, where] = np.maximum(scores[:, where], np.minimum(queries[:, at] @ vectors[inside].T, 1))
            both = np.concatenate([best, scores], axis=1)
            best = np.partition(both, both.shape[1] - top, axis=1)[:, -top:]
    database.close()
    return best
