"""One fingerprint, or a part of one, with its time and memory as JSON; a process of its own for each.

python -m benchmarks.performance.signals FOLDER WORK WORKERS
"""

import hashlib
import json
import re
import resource
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import tensorguard
from tensorguard.api.models import Model, open_model
from tensorguard.engines.threads import Threads
from tensorguard.fingerprint.file import write_fingerprint
from tensorguard.fingerprint.sweep_tasks import Question, Range, answer, extent_of, ranges
from tensorguard.probes.rademacher import PUBLIC
from tensorguard.signals.products import NumpyProducts

WORK = ("fingerprint", "16 numbers alone", "sweep alone", "digests alone")
"""What users run; its two passes (the sweep with next to none of the other); and the values digested and looked at, nothing more."""


def digests(model: Model, workers: int) -> int:
    """Digest every tensor, as a sweep digests vectors; return the number of elements."""
    questions = (Question(tensor, PUBLIC) for tensor in model.tensors)
    tasks = (Range(each, start, stop) for each in questions for start, stop in ranges(*extent_of(each.tensor)))
    for _ in Threads(workers).map(partial(answer, products=NumpyProducts()), tasks):
        pass
    return sum(rows * columns for rows, columns in map(extent_of, model.tensors))


def peak() -> int:
    """Return the most memory that this process has held, in bytes; `ru_maxrss` would begin with what its parent held."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> int:
    """Do one work and print what it took."""
    folder, work, workers = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    model = open_model(folder)
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    content, elements = b"", 0
    if work == "digests alone":
        elements = digests(model, workers)
    else:
        settings = tensorguard.Settings(lineage=work != "16 numbers alone")
        if work == "sweep alone":  # one column of one tensor of a category: as little as can be asked
            probes = tensorguard.ProbeSpec(repeats=1, strategies=("gaussian",))
            settings = tensorguard.Settings(tensorguard.Specification(probes, per_category=1))
        found = tensorguard.fingerprint_model(model, settings=settings, workers=workers)
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch) / "it.tgfp"
            write_fingerprint(file, found)
            content, elements = file.read_bytes(), found.elements
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    took = {
        "seconds": seconds,
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak": peak(),
        "elements": elements,
        "size": len(content),
        "digest": hashlib.blake2b(content, digest_size=8).hexdigest(),
    }
    print(json.dumps(took))
    return 0


if __name__ == "__main__":
    sys.exit(main())
