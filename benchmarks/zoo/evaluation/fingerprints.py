"""Fingerprints of the zoo, made once and kept beside it."""

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.zoo.manifest import Entry
from tensorguard.api.fingerprints import Settings, fingerprint_model
from tensorguard.errors import TensorGuardError
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.file import read_fingerprint, write_fingerprint
from tensorguard.fingerprint.sketches import METHOD


def fingerprints(out: Path, entries: Sequence[Entry], workers: int) -> dict[str, Fingerprint]:
    """Return the fingerprint of every model by name; one that is there already and newer than the model is read."""
    folder = out / ".fingerprints" / METHOD
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(partial(_make, out, folder), [entry.name for entry in entries]))
    return {entry.name: read_fingerprint(folder / f"{entry.name}.tgfp") for entry in entries}


def _make(out: Path, folder: Path, name: str) -> None:
    target, model = folder / f"{name}.tgfp", out / name
    try:
        read_fingerprint(target)
        if target.stat().st_mtime > (model / "zoo.json").stat().st_mtime:
            return
    except TensorGuardError:
        pass
    write_fingerprint(target, fingerprint_model(model, settings=Settings(base=base_of(out, model)), workers=1))


def base_of(out: Path, model: Path) -> Path | None:
    """Return where an adapter's base is; None for a model that is none."""
    config = model / "adapter_config.json"
    if not config.exists():
        return None
    return out / Path(str(json.loads(config.read_text("utf-8"))["base_model_name_or_path"])).name
