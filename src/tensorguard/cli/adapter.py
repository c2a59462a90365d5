"""`tensorguard adapter A [B|MODEL]`."""

from pathlib import Path

import typer

from tensorguard.cli.bar import progress
from tensorguard.cli.options import BASE, KEY_FILE, QUIET, REGISTRY, SEARCH, key, registry_folder
from tensorguard.cli.output import JSON, REPORTS, deliver


def adapter(
    adapter: str = typer.Argument(help="A LoRA or DoRA adapter's folder, or ORG/NAME[@REVISION] on the hub."),
    other: str | None = typer.Argument(None, help="Another adapter, or a whole model; without: the models of the registry."),
    registry: Path | None = REGISTRY,
    key_file: Path | None = KEY_FILE,
    base: str | None = BASE,
    search: list[Path] = SEARCH,
    reports: list[str] = REPORTS,
    as_json: bool = JSON,
    quiet: bool = QUIET,
) -> None:
    """Tell an adapter's base, what another adapter has to do with it, or whether it is merged into a model.

    \b
    tensorguard adapter ./lora
    tensorguard adapter ./lora ./other-lora
    tensorguard adapter ./lora ./merged-model --base ./base
    """
    from tensorguard.api.adapters import compare_adapters, find_bases, find_in_model, holds_adapter, open_adapter
    from tensorguard.api.models import model_name
    from tensorguard.errors import UsageError
    from tensorguard.reports.adapter import bases_report, model_report, pair_report

    paired = other is not None and holds_adapter(other)
    if base is not None and (other is None or paired):
        raise UsageError("a base goes with a whole model", where=base, hint="leave --base out")
    first = open_adapter(adapter)
    if other is None:
        with progress(quiet=quiet) as listener:
            document = bases_report(first, find_bases(first, registry_folder(registry), key=key(key_file), progress=listener))
    elif paired:
        second = open_adapter(other)
        document = pair_report(first, second, compare_adapters(first, second))
    else:
        document = model_report(first, model_name(other), base, find_in_model(first, other, base=base, search=search))
    deliver(document, reports, as_json=as_json)
