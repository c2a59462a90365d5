"""`tensorguard merge MODEL... -o FILE-OR-DIR`."""

from pathlib import Path

import typer

from tensorguard.cli.bar import progress
from tensorguard.cli.options import BASE, QUIET, SEARCH
from tensorguard.cli.output import JSON, deliver


def merge(
    models: list[str] = typer.Argument(metavar="MODELS...", help="Models in shards, or adapters."),
    output: Path = typer.Option(..., "--output", "-o", help="A .safetensors file for one model, else a folder."),
    base: str | None = BASE,
    search: list[Path] = SEARCH,
    dtype: str | None = typer.Option(None, help="What quantised GGUF tensors are decoded to: F32, F16 or BF16."),
    force: bool = typer.Option(False, "--force", help="Write also what is there already."),
    as_json: bool = JSON,
    quiet: bool = QUIET,
) -> None:
    """Write one safetensors file from shards, or from a base and its adapter; equals PEFT's merge_and_unload.

    \b
    tensorguard merge ./sharded-model -o model.safetensors
    tensorguard merge adapters/* --base ./base -o merged
    """
    from tensorguard.api.studies import merge_many
    from tensorguard.errors import PartialError
    from tensorguard.reports.merges import report

    with progress(quiet=quiet) as listener:
        outcomes = list(merge_many(models, output, base=base, search=search, dtype=dtype, force=force, progress=listener))
    failed = [outcome.error for outcome in outcomes if outcome.error]
    if len(failed) == len(outcomes) == 1:
        raise failed[0]
    deliver(report(outcomes), [], as_json=as_json)
    if failed:
        raise PartialError(f"{len(failed)} of {len(outcomes)} models failed", hint="the list above says why")
