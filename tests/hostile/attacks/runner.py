"""Runs every attack's command in one process, with what each cost and left behind: `python -m hostile.attacks.runner FOLDER RESULTS`.

Its peak memory is told by the kernel, reset before each command (proc_pid_clear_refs(5)); its time is the processor's.
"""

import contextlib
import io
import json
import os
import resource
import sys
import time
from pathlib import Path

from hostile.attacks.catalogue import ATTACKS
from tensorguard.cli.main import run

_WARM = (
    "config: negative sizes",
    "adapter: 10^19 ranks",
    "fingerprint: no JSON",
    "archive: no archive",
    "pickle: a program",
    "onnx: values at -1",
)
"""Run once before: what a command imports is not an attack's cost."""

_FUSE = 4 << 30


def main() -> None:
    """Run all attacks."""
    folder, results = Path(sys.argv[1]), Path(sys.argv[2])
    for name in _WARM:
        _attack(name, folder / f"warm-{len(list(folder.iterdir()))}")
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _FUSE, used + _FUSE))
    found = {name: _attack(name, folder / str(number)) for number, name in enumerate(ATTACKS)}
    results.write_text(json.dumps(found))


def _attack(name: str, folder: Path) -> dict[str, object]:
    (folder / "in").mkdir(parents=True)
    (folder / "out").mkdir()
    os.chdir(folder / "out")
    arguments = [str(each) for each in ATTACKS[name].make(folder / "in")]
    before = _listed(folder)
    out, err = io.StringIO(), io.StringIO()
    with Path("/proc/self/clear_refs").open("w") as file:
        file.write("5")
    peak, begun = _peak(), time.process_time()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    spent, more = time.process_time() - begun, _peak() - peak
    return {
        "code": code,
        "out": out.getvalue(),
        "err": err.getvalue(),
        "seconds": spent,
        "bytes": more,
        "left": sorted(_listed(folder) - before),
    }


def _listed(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
