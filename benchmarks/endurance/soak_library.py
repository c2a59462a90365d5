"""One process that makes library calls in turn until it is told to end (SIGTERM); it rests between them. Started by `soak.py`."""

import itertools
import json
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tensorguard.api.checking import check
from tensorguard.api.fingerprints import Settings, fingerprint_model
from tensorguard.api.inspecting import inspect
from tensorguard.api.lineage import compare_models
from tensorguard.api.many import fingerprint_many
from tensorguard.api.scanning import scan
from tensorguard.api.studies import merge_many, sensitivity
from tensorguard.errors import TensorGuardError
from tensorguard.registry.archive import write_archive
from tensorguard.registry.entry import Facts
from tensorguard.registry.registry import Registry

_KEPT = 30
"""Entries that come and go."""


def hostile(folder: Path, sound: Path) -> list[Path]:
    """Write damaged files: cut anywhere, with lengths that lie, of other kinds."""
    folder.mkdir(parents=True, exist_ok=True)
    raw = sound.read_bytes()[: 1 << 18]
    bad = {f"cut-{at}.safetensors": raw[:at] for at in (0, 7, 8, 100, len(raw) // 2)}
    bad["huge.safetensors"] = (2**63 - 1).to_bytes(8, "little") + b"{}"
    bad["deep.safetensors"] = (100_006).to_bytes(8, "little") + b'{"t": ' + b"[" * 100_000
    bad["wrong.gguf"] = b"GGUF" + bytes(range(256)) * 40
    bad["wrong.bin"] = b"PK\x03\x04" + bytes(200)
    bad["wrong.onnx"] = b"\x08\x07\x3a\xff\xff\xff\x7f" + bytes(500)
    for name, data in bad.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in bad]


def steps(out: Path, models: list[Path]) -> dict[str, Callable[[int], object]]:
    """Return what is done in turn, by name; each takes a number that grows."""
    registry, own, work = out / "registry", out / "own-registry", out / "work"
    bad = hostile(out / "bad", models[0] / "model.safetensors")
    adapters = sorted(path.parent for path in models[0].parent.glob("*.lora/adapter_config.json"))
    Registry(own, create=True).close()

    def entries(number: int) -> None:
        with Registry(own) as known:
            name = f"entry-{number % _KEPT}"
            found = fingerprint_model(models[number % len(models)], workers=1)
            known.add(replace(found, name=name), Facts(family=f"family {number}"))
            known.search(found)
            known.remove(f"entry-{(number * 7) % _KEPT}")
            known.sweep()
            kept = list(known.entries())
            write_archive(out / "known.tgfpa", kept, {each.fingerprint: known.path(each) for each in kept})

    def merged(number: int) -> None:
        adapter = adapters[number % len(adapters)]
        base = adapter.with_name(adapter.name.removesuffix(".lora"))
        for outcome in merge_many([adapter], work / "merged.safetensors", base=base, force=True):
            if outcome.error:
                raise outcome.error

    def refused(number: int) -> None:
        for path in bad:
            try:
                (inspect if number % 2 else fingerprint_model)(path)
            except TensorGuardError:
                continue
            raise RuntimeError(f"{path} was taken")

    def many(number: int) -> None:
        folder = work / "many"
        list(fingerprint_many([models[number % len(models)], *bad[:3]], folder, workers=1))
        shutil.rmtree(folder)

    def pair(number: int) -> tuple[Path, Path]:
        return models[number % len(models)], models[(number * 5 + 1) % len(models)]

    return {
        "fingerprint": lambda n: fingerprint_model(models[n % len(models)], settings=Settings(extended=n % 4 == 0), workers=2),
        "compare": lambda n: compare_models(pair(n)),
        "compare deep": lambda n: compare_models(pair(n), deep=True) if n % 5 == 0 else None,
        "scan": lambda n: scan(models[n % len(models)], registry),
        "check": lambda n: check(models[n % len(models)], registry),
        "merge": merged,
        "registry": entries,
        "inspect": lambda n: inspect(models[n % len(models)]),
        "damaged files": refused,
        "many models": many,
        "sensitivity": lambda n: sensitivity(models[n % len(models)], workers=2) if n % 3 == 0 else None,
    }


def main() -> None:
    out, share, models = Path(sys.argv[1]), float(sys.argv[2]), [Path(model) for model in sys.argv[3:]]
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    (out / "work").mkdir(exist_ok=True)
    made: dict[str, int] = {}
    turns = steps(out, models)
    for number in itertools.count():
        for name, step in turns.items():
            if ended:
                return
            before = time.process_time()
            try:
                step(number)
            except TensorGuardError as error:
                name = f"{name}: {error.message}"[:200]
            made[name] = made.get(name, 0) + 1
            (out / "library.json").write_text(json.dumps(made, indent=1))
            time.sleep(max(0.05, (time.process_time() - before) / share))


if __name__ == "__main__":
    main()
