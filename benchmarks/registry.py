"""A registry of a million fingerprints: building, size, search and its recall, adding under load, compacting, export and import.

    python -m benchmarks.registry --fingerprints DIR [--entries 1000000] [--keep DIR] [--only PART]...

Entries are made up, their search vectors lying as those of real models do (`registry_models.py` says how that was measured); all of
them name one of 16 real fingerprints of DIR, for a million of their own would take 300 GB. What is added under load is real. Queries are
new derivatives of random entries and, one in five, strangers. Recall is the share of the ten best of an exact search over all stored
vectors, and a hit counts only if it is as near as the tenth of them, to 1e-6. It takes 4 GB of disk, and twice that while compacting.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import registry_load as load
from benchmarks.registry_load import NEW, TOP
from benchmarks.registry_made import exact, make, some
from benchmarks.registry_models import Array, Models
from tensorguard.fingerprint.file import SUFFIX, read_fingerprint
from tensorguard.registry.registry import DATABASE, Registry

QUERIES, STRANGERS = 500, 100
SECONDS = 20.0
"""How long is added, alone and while others search."""
REMOVED = 200
"""One in so many entries is removed before compacting."""
Rows = Iterator[tuple[str, str]]


class Measured:
    """One registry, and what is asked of it."""

    def __init__(self, folder: Path, entries: int, prints: Path) -> None:
        self.folder, self.entries, self.prints = folder, entries, prints
        self._queries: Array | None = None
        self._parents: list[str] = []

    def build(self) -> Rows:
        told = make(self.folder, self.entries, self.prints)
        yield "entries inserted, 20,000 at a time", f"{told['inserted']:.0f} s"
        yield "index built", f"{told['indexed']:.0f} s"
        yield "largest memory of both", f"{told['peak']:.0f} MB"
        yield "database", f"{(self.folder / DATABASE).stat().st_size / 1e6:.0f} MB"
        yield "index", f"{sum(path.stat().st_size for path in self.folder.glob('index/*.vectors')) / 1e6:.0f} MB"

    def search(self) -> Rows:
        queries = self.queries()
        truth = exact(self.folder, queries, TOP)
        found = load.search(self.folder, queries, truth, self._parents)
        derived = slice(0, QUERIES - STRANGERS)
        yield f"recall@{TOP}, all", f"{found.recalls.mean():.4f}"
        yield (
            f"recall@{TOP}, derivatives / strangers",
            f"{found.recalls[derived].mean():.4f} / {found.recalls[derived.stop :].mean():.4f}",
        )
        yield (
            "derivative's own parent among them",
            f"{found.parents[derived].mean():.4f} (exact search: {self._reachable(truth):.4f})",
        )
        yield "search, p50 / p99 / longest", _times(found.seconds)
        yield "processor time of a search", f"{1e3 * found.processor:.1f} ms"
        yield "first search of a process (index mapped)", f"{1e3 * found.first:.0f} ms"
        yield "memory of its own that searching takes", f"{found.gained:.0f} MB"
        with Registry(self.folder) as registry:
            for word in (f"model-{self.entries // 2}", "apache", "nowhere", "el-"):
                registry.page([word])
                yield f"page of the word {word!r}", f"{1e3 * _timed(lambda word=word: registry.page([word])):.1f} ms"

    def start(self) -> Rows:
        name = "print-0"
        seconds, memory, _ = load.command("show", name, "--registry", self.folder)
        yield "`registry show NAME`, from the shell", f"{seconds:.2f} s, {memory:.0f} MB"

    def adding(self) -> Rows:
        prints = [read_fingerprint(path) for path in sorted(self.prints.glob(f"*{SUFFIX}"))[:50]]
        prints = [each for each in prints if each.sketches is not None]
        alone = load.add(self.folder, prints, SECONDS, 0)
        yield "fingerprints added, one at a time", f"{len(alone) / SECONDS:.1f} a second; each {_times(np.array(alone))}"
        queries, beside, searching = self.queries(), [], []
        with load.searchers(self.folder, queries, 2) as told:
            beside = load.add(self.folder, prints, SECONDS, len(alone))
        searching = np.concatenate([told.get(timeout=60) for _ in range(2)])
        yield "the same while 2 processes search", f"{len(beside) / SECONDS:.1f} a second; each {_times(np.array(beside))}"
        yield "their searches meanwhile", f"{len(searching) / (SECONDS + 2):.1f} a second; each {_times(searching)}"

    def compacting(self) -> Rows:
        with Registry(self.folder) as registry:
            names = [entry.name for entry in registry.entries() if entry.name.startswith(NEW)]
            count = registry.count() - len(names)
            names += [entry.name for entry in registry.by_id(range(REMOVED, count, REMOVED)).values()]
            seconds = _timed(lambda: [registry.remove(name) for name in names])
        yield f"{len(names)} entries removed, one at a time", f"{len(names) / seconds:.0f} a second"
        seconds, memory, printed = load.command("compact", "--registry", self.folder, "--json", "--quiet")
        done = json.loads(printed)["result"]
        yield "`registry compact`", f"{seconds:.0f} s, {memory:.0f} MB, {done['freed'] / 1e6:.0f} MB freed"

    def exchange(self) -> Rows:
        with tempfile.TemporaryDirectory(dir=self.folder.parent) as scratch:
            archive, other = Path(scratch) / "known.tar", Path(scratch) / "theirs"
            seconds, memory, printed = load.command("export", archive, "--registry", self.folder, "--json", "--quiet")
            files = [part["path"] for part in json.loads(printed)["result"]["parts"]]
            size = sum(Path(path).stat().st_size for path in files)
            yield "`registry export`", f"{seconds:.0f} s, {memory:.0f} MB; {len(files)} files, {size / 1e6:.0f} MB"
            runs = [load.command("import", path, "--registry", other, "--json") for path in files]
            seconds, memory = sum(run[0] for run in runs), max(run[1] for run in runs)
            with Registry(other) as registry:
                yield f"`registry import` of all ({registry.count()} entries)", f"{seconds:.0f} s, {memory:.0f} MB"

    def queries(self) -> Array:
        """Return derivatives of random entries, and strangers."""
        if self._queries is None:
            models = Models(99)
            parents, vectors = some(self.folder, QUERIES - STRANGERS, 7)
            self._parents = [entry.name for entry in parents] + [""] * STRANGERS
            self._stored = vectors
            self._queries = np.concatenate([models.derived(vectors), models.strangers(STRANGERS)])
        return self._queries

    def _reachable(self, truth: Array) -> float:
        """Return how often the parent is among the ten best of an exact search."""
        assert self._queries is not None
        own = (self._queries[: len(self._stored)] * self._stored).sum(2).max(1)
        return float((own >= truth[: len(own)].min(1) - 1e-4).mean())


def _timed(call: Callable[[], object]) -> float:
    import time

    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _times(seconds: "np.ndarray") -> str:
    p50, p99, longest = 1e3 * np.percentile(seconds, [50, 99, 100])
    return f"{p50:.1f} / {p99:.1f} / {longest:.0f} ms"


PARTS = ("build", "search", "start", "adding", "compacting", "exchange")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.registry", description=str(__doc__).splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--fingerprints", type=Path, required=True, help="folder of .tgfp files, such as those of the zoo")
    parser.add_argument("--keep", type=Path, help="make the registry here, or measure the one that an earlier run left here")
    parser.add_argument("--only", action="append", choices=PARTS, help="leave the other parts out; repeatable")
    arguments = parser.parse_args()
    console = Console(file=sys.stdout, width=120)
    with tempfile.TemporaryDirectory() as scratch:
        measured = Measured(arguments.keep or Path(scratch) / "registry", arguments.entries, arguments.fingerprints)
        table = Table("what", "measured", title=f"{arguments.entries} entries in three bases")
        for part in arguments.only or PARTS:
            for row in getattr(measured, part)():
                table.add_row(*row)
                print(*row, sep=": ", file=sys.stderr, flush=True)
    console.print(table)


if __name__ == "__main__":
    main()
