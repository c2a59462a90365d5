"""Comparisons of fingerprints, many at a time."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from threadpoolctl import threadpool_limits

from tensorguard.fingerprint.base import Fingerprint
from tensorguard.lineage.verdict import Lineage, compare_lineage

_prints: Mapping[str, Fingerprint] = {}


def compare_all(pairs: Sequence[tuple[str, str]], prints: Mapping[str, Fingerprint], workers: int) -> list[Lineage]:
    """Compare every pair of names, in order; the processes inherit the fingerprints."""
    global _prints
    _prints = prints
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        return list(pool.map(_compare, pairs, chunksize=8))


def _compare(pair: tuple[str, str]) -> Lineage:
    with threadpool_limits(1):
        return compare_lineage(_prints[pair[0]], _prints[pair[1]])
