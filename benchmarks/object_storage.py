"""What object storage is asked for: requests and bytes of the commands, against a real S3 server of this machine (moto).

    PYTHONPATH=tests python -m benchmarks.object_storage MODEL OTHER

MODEL and OTHER are folders of models; the server counts what it is asked. Seconds are not told: this server is slow, and beside us.
"""

import contextlib
import io
import os
import sys
import tempfile
from pathlib import Path

from support.object_storage import BUCKET, Storage, storing
from support.shared import row
from tensorguard.cli.main import run
from tensorguard.registry.opening import open_registry
from tensorguard.sources import object_files

_ENTRIES = 1_000


def main(model: Path, other: Path) -> None:
    os.environ |= {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "secret", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder, storing() as storage:
        os.chdir(folder)
        os.environ |= {"AWS_ENDPOINT_URL": storage.url, "XDG_CACHE_HOME": f"{folder}/cache"}
        storage.clear()
        there = storage.upload(model, f"models/{model.name}")
        size = sum(file.stat().st_size for file in model.rglob("*.safetensors"))
        print(f"{model.name}, {size / 1e6:.1f} MB\n")
        print("| command | lists | heads | gets | puts | MB read | of the weights |")
        print("|---|---|---|---|---|---|---|")
        _called(["registry", "add", str(other), "--registry", "here"])
        _row(storage, "inspect MODEL", size, lambda: _called(["inspect", there]))
        _row(storage, "scan MODEL (quick)", size, lambda: _called(["scan", there, "--registry", "here"]))
        _row(storage, "scan MODEL --full", size, lambda: _called(["scan", there, "--registry", "here", "--full"]))
        out = f"s3://{BUCKET}/out"
        _row(storage, "fingerprint MODEL -o s3://…", size, lambda: _called(["fingerprint", there, "-o", out]))
        _row(storage, "the same again: finished before", size, lambda: _called(["fingerprint", there, "-o", out]))
        place = f"s3://{BUCKET}/known"
        _row(
            storage,
            "registry add FINGERPRINT",
            size,
            lambda: _called(["registry", "add", f"{out}/{model.name}.tgfp", "--registry", place]),
        )
        _row(storage, "registry list, nothing new", size, lambda: _called(["registry", "list", "--registry", place]))
        with open_registry(place) as registry:
            registry.close = lambda: None  # type: ignore[method-assign]
            for number in range(_ENTRIES):
                registry.insert([row(f"model-{number}")])
        _fresh(storage, f"a new mirror of {_ENTRIES} changes", size, place, folder, "one")
        _row(storage, "registry compact", size, lambda: _called(["registry", "compact", "--registry", place]))
        _fresh(storage, "a new mirror after that", size, place, folder, "two")


def _fresh(storage: Storage, what: str, size: int, place: str, folder: str, machine: str) -> None:
    os.environ["XDG_CACHE_HOME"] = f"{folder}/{machine}"
    _row(storage, what, size, lambda: _called(["registry", "list", "--registry", place]))


def _row(storage: Storage, what: str, size: int, step: object) -> None:
    object_files._opened.cache_clear()
    storage.asked.clear()
    said = step()  # type: ignore[operator]
    counts = [storage.listings(), *(len(storage.of(method)) for method in ("HEAD", "GET", "PUT"))]
    weights = sum(each.stop - each.start for each in storage.of("GET", below="models/") if each.stop)
    print(f"| `{what}` | {' | '.join(map(str, counts))} | {said:.2f} | {weights / size:.1%} |", flush=True)


def _called(arguments: list[str]) -> float:
    """Run a command; returns the MB that it says it read over the network."""
    errors = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        code = run(arguments)
    if code:
        sys.exit(errors.getvalue())
    said = errors.getvalue().partition("read over the network: ")[2].partition(" MB")[0]
    return float(said or 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
