"""Are a model's bases found by its search vectors and digests among all the zoo's models that are no kin of it?

    python -m benchmarks.zoo.searching ZOO [--split evaluation] [--json FILE]

The registry holds all models of both halves; for each derivative its kin are left out but for its bases. Beside what the zoo shows, the
table says what a registry of 1,000,000 strangers would do to each: cosines of strangers are as good as normal.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import norm

from benchmarks.zoo.evaluation.fingerprints import fingerprints
from benchmarks.zoo.manifest import Entry, default_out, load
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.registry.vectors import BASES, search_digests, search_vectors

MANY = 1_000_000
CANDIDATES = 32


@dataclass(frozen=True)
class Sought:
    """A derivative whose bases are searched for.

    Attributes:
        name: The derivative.
        kind: What was done.
        rank: Of the best of its bases by the largest cosine over the bases of the residual stream.
        last: Of the worst of them.
        similarity: Largest cosine with one of its bases.
        ahead: How many of `MANY` strangers are expected before that one.
        digests: How many digests it has in common with one of its bases.
    """

    name: str
    kind: str
    rank: int
    last: int
    similarity: float
    ahead: float
    digests: int


def kin(entries: Sequence[Entry]) -> NDArray[np.bool_]:
    """Return which models have anything of the same origin, initialisation and embeddings included: bool of shape (N, N)."""
    shared = {entry.name: entry.shared_with for entry in entries if entry.shared_with}
    origins = []
    for entry in entries:
        own = set(entry.bases) or {entry.name}
        origins.append(own | {other for name in (*own, entry.name) if (other := shared.get(name))})
    return np.array([[bool(a & b) for b in origins] for a in origins])


def cosines(prints: Sequence[Fingerprint]) -> dict[str, NDArray[np.float32]]:
    """Return the cosines of all search vectors by basis, -1 where a model has none: float32 of shape (N, N)."""
    vectors = [search_vectors(each.sketches) if each.sketches else {} for each in prints]
    found = {}
    for basis in BASES:
        there = np.array([basis in each for each in vectors])
        size = next((len(each[basis]) for each in vectors if basis in each), 1)
        V = np.stack([each.get(basis, np.zeros(size, np.float32)) for each in vectors])
        found[basis] = np.where(there[:, None] & there, V @ V.T, np.float32(-1))
    return found


def search(
    entries: Sequence[Entry], prints: Sequence[Fingerprint], split: str
) -> tuple[list[Sought], dict[str, NDArray[np.float32]]]:
    """Return every derivative of a half, and the cosines of strangers by basis."""
    by_basis, related = cosines(prints), kin(entries)
    similarity = np.max(list(by_basis.values()), axis=0)
    place = {entry.name: at for at, entry in enumerate(entries)}
    digests = [set(search_digests(each)) for each in prints]
    queries = [at for at, entry in enumerate(entries) if entry.relation == "derived" and entry.split == split]
    strangers = {basis: each[queries][~related[queries]] for basis, each in by_basis.items()}
    spread = max(float(each[each > -1].std()) for each in strangers.values())
    found = []
    for at in queries:
        bases = [place[name] for name in entries[at].bases]
        others = similarity[at][~related[at]]
        ranks = [1 + int((others >= similarity[at, base]).sum()) for base in bases]
        best = float(similarity[at, bases].max())
        found.append(
            Sought(
                name=entries[at].name,
                kind=entries[at].kind,
                rank=min(ranks),
                last=max(ranks),
                similarity=best,
                ahead=MANY * len(BASES) * float(norm.sf(best / spread)),
                digests=max(len(digests[at] & digests[base]) for base in bases),
            )
        )
    return found, strangers


def shown(found: Sequence[Sought]) -> Table:
    """Return the table, a row per kind of derivative."""
    groups: Mapping[str, list[Sought]] = defaultdict(list)
    for each in found:
        groups[each.kind].append(each)
    heads = (
        "kind",
        "models",
        "base in 10",
        "in 32",
        "all bases in 32",
        "least cosine",
        "median",
        "in 32 of 1,000,000",
        "by digests",
    )
    table = Table(*heads, title="Derivatives whose base is found")
    for kind, group in (*sorted(groups.items()), ("all", list(found))):
        similarity = [each.similarity for each in group]
        counts = (
            sum(each.rank <= 10 for each in group),
            sum(each.rank <= CANDIDATES for each in group),
            sum(each.last <= CANDIDATES for each in group),
        )
        many, equal = sum(each.ahead < CANDIDATES for each in group), sum(each.digests > 0 for each in group)
        cells = (*counts, f"{min(similarity):.2f}", f"{np.median(similarity):.2f}", many, equal)
        table.add_row(kind, str(len(group)), *map(str, cells))
    return table


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zoo.searching", description=str(__doc__).splitlines()[0])
    parser.add_argument("out", type=Path, nargs="?", default=default_out())
    parser.add_argument("--split", choices=("development", "evaluation"), default="evaluation")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args(arguments)
    entries = load(given.out)
    prints = fingerprints(given.out, entries, given.workers)
    found, strangers = search(entries, [prints[entry.name] for entry in entries], given.split)
    if given.json:
        given.json.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n", "utf-8")
    console = Console(width=140)
    console.print(shown(found))
    for basis, each in strangers.items():
        values = each[each > -1]
        quantiles = " ".join(f"{q:.2f}" for q in np.quantile(values, (0.99, 0.999, 0.9999, 1)))
        console.print(f"strangers, {basis}: mean {values.mean():.3f}, sd {values.std():.4f}, quantiles 99 % to all {quantiles}")
    for missed in (each for each in found if each.rank > 10):
        console.print(
            f"missed: {missed.name}, rank {missed.rank}, cosine {missed.similarity:.2f}, equal digests {missed.digests}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
