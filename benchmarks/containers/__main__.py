"""The same models in every container that people publish: what `tensorguard compare` says of each.

    pip install --no-deps --no-build-isolation auto-gptq autoawq bitsandbytes compressed-tensors hqq mlx mlx-cpu torchao pywhispercpp \
        loguru termcolor onnxruntime onnxscript onnx-ir
    python -m benchmarks.containers MODEL [MODEL ...] [--stranger MODEL=OTHER] [--only GLOB] [--folder DIR]

MODEL is a folder with config.json and model.safetensors. Each container is written by its format's own library on a CPU (GPTQ with its
whole algorithm, on made-up inputs), and compared with the model, with what that library reads back from it, in float32 and rounded to
bfloat16, and with a stranger. With --folder fingerprints are kept, and a run goes on where it stopped.
"""

import argparse
import fnmatch
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.containers import floats, gguf_file, onnx_file, packed
from benchmarks.containers.base import Container, original
from benchmarks.containers.judging import Outcome, fingerprint, judge, make, place_of

Results = dict[str, dict[str, Outcome | str]]


def containers(patterns: Sequence[str]) -> Iterator[Container]:
    """Yield every container whose name fits and whose library is installed; say which libraries are missing."""
    for module in (floats, gguf_file, onnx_file, packed):
        try:
            yield from (
                each for each in module.containers() if any(fnmatch.fnmatch(each.name, pattern) for pattern in patterns)
            )
        except PackageNotFoundError as missing:
            print(f"{missing.name} is not installed: what follows it in {module.__name__} is left out", file=sys.stderr)


def run(models: list[Path], strangers: dict[str, Path], chosen: list[Container], kept: Path) -> Results:
    """Judge every model in every container, each as soon as it is made."""
    results: Results = {}
    for folder in models:
        known = fingerprint(folder)
        stranger = fingerprint(strangers[folder.name]) if folder.name in strangers else None
        model = None
        for container in chosen:
            place = place_of(kept, folder.name, container.name)
            if not place.exists():
                model = model or original(folder)
                make(model, container, place)
            outcome = judge(place, known, stranger)
            results.setdefault(folder.name, {})[container.name] = outcome
            print(f"{folder.name}, {container.name}: {_cell(outcome) or outcome}", file=sys.stderr, flush=True)
    return results


def _cell(outcome: Outcome | str) -> str:
    if isinstance(outcome, str):
        return ""
    return "; ".join(outcome.faults()) or ("same" if outcome.lossless else outcome.original.removeprefix("derived: "))


def table(results: Results, chosen: list[Container]) -> Table:
    """One row for each container, one column for each model."""
    made = Table("container", "made and read back by", *results, title="The same model in every container")
    for container in chosen:
        made.add_row(container.name, container.maker, *(_cell(done[container.name]) for done in results.values()))
    fit = [each for done in results.values() for each in done.values() if isinstance(each, Outcome)]
    right = sum(not each.faults() for each in fit)
    made.caption = f"{right} of {len(fit)} as they should be; empty: the model does not fit into this container"
    return made


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.containers", description=str(__doc__).splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL")
    parser.add_argument(
        "--stranger", action="append", default=[], metavar="MODEL=OTHER", help="an unrelated model of one's shapes"
    )
    parser.add_argument("--only", action="append", metavar="GLOB", help="containers by name; may be repeated (default: all)")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where fingerprints are kept (default: nowhere)")
    options = parser.parse_args(arguments)
    strangers = {name: Path(other) for name, _, other in (each.partition("=") for each in options.stranger)}
    chosen = list(containers(options.only or ("*",)))
    with tempfile.TemporaryDirectory() as scratch:
        results = run(options.models, strangers, chosen, options.folder or Path(scratch))
    Console(width=max(120, 60 + 30 * len(results))).print(table(results, chosen))
    return 0 if all(isinstance(each, str) or not each.faults() for done in results.values() for each in done.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
