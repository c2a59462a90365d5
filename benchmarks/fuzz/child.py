"""One parser under atheris (libFuzzer), in a process of its own.

`python -m benchmarks.fuzz.child PARSER RUNS SEED CORPUS FINDINGS RESULT`
"""

import json
import os
import sys
import time
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["tensorguard"], enable_loader_override=False):
    from benchmarks.fuzz.catalogue import harness
    from benchmarks.fuzz.warm import import_all

_HANG = 30
"""Seconds of the clock after which an input is given up, with the process."""

_TOLD = 500
"""Inputs after which the result so far is written."""


def main() -> None:
    """Fuzz until the runs are used up."""
    name, runs, seed, corpus, findings, result = sys.argv[1:]
    chosen = harness(name)
    with atheris.instrument_imports(include=["tensorguard"], enable_loader_override=False):
        import_all(chosen.modules)
    from benchmarks.fuzz.guard import Guard

    guard = Guard(chosen.run, Path(findings), Path(os.environ["TMPDIR"]))
    begun = time.process_time()

    def told() -> None:
        facts = {"executions": guard.executions, "accepted": guard.accepted, "peak": guard.peak, "slowest": guard.slowest,
                 "seconds": time.process_time() - begun}  # fmt: skip
        Path(result).write_text(json.dumps(facts))

    def one(data: bytes) -> None:
        if not guard.executions:
            guard.limit_memory()
        guard(data)
        if guard.executions % _TOLD == 0 or guard.executions >= int(runs):
            told()

    def mutated(data: bytes, longest: int, number: int) -> bytes:
        random = Random(number)
        if chosen.mutate is None or random.random() < 0.35:
            return bytes(atheris.Mutate(data, longest))
        changed = chosen.mutate(data, random)
        return changed if len(changed) <= longest else bytes(atheris.Mutate(data, longest))

    options = [f"-runs={runs}", f"-seed={seed}", f"-max_len={chosen.longest}", f"-timeout={_HANG}", "-rss_limit_mb=0", "-len_control=0",
               f"-artifact_prefix={findings}/hang-", "-print_final_stats=1", "-reload=0"]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, corpus], one, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
