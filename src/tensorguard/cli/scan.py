"""`tensorguard scan MODEL`."""

from pathlib import Path

import typer

from tensorguard.cli.bar import progress
from tensorguard.cli.options import BASE, DEVICE, MODEL, QUICK, QUIET, REGISTRY, SEARCH, SKIP_NONFINITE, registry_folder
from tensorguard.cli.options import key as read_key
from tensorguard.cli.output import JSON, REPORTS, deliver

KEY = typer.Option(
    None, help="A secret key under which the registry keeps fingerprints, too: accusations are confirmed with them."
)
FAMILIES = typer.Option(
    None, metavar="FILE", help="A saved clustering for the paper's second opinion.", show_default="the registry's families.json"
)
COMPARED = typer.Option(4, min=1, max=20, help="How many candidates are compared in full.")


def scan(
    model: str = typer.Argument(metavar="MODEL", help=MODEL),
    registry: Path | None = REGISTRY,
    key_file: Path | None = KEY,
    families: Path | None = FAMILIES,
    compared: int = COMPARED,
    base: str | None = BASE,
    search: list[Path] = SEARCH,
    skip_nonfinite: bool = SKIP_NONFINITE,
    device: str = DEVICE,
    quick: bool | None = QUICK,
    reports: list[str] = REPORTS,
    as_json: bool = JSON,
    quiet: bool = QUIET,
) -> None:
    """Tell what a model is derived from, how sure that is, and what that obliges to.

    \b
    tensorguard scan ./model
    tensorguard scan ./model -o table -o html=report.html -o sarif=model.sarif
    tensorguard scan ./adapter --base ./model --registry ./known
    """
    from tensorguard.api.fingerprints import Settings
    from tensorguard.api.scanning import scan as run
    from tensorguard.reports.scan import report

    settings = Settings(device=device, base=base, search=tuple(search), quick=quick, skip_nonfinite=skip_nonfinite)
    with progress(quiet=quiet) as listener:
        found = run(
            model,
            registry_folder(registry),
            settings=settings,
            key=read_key(key_file),
            families=families,
            compared=compared,
            progress=listener,
        )
    deliver(report(found), reports, as_json=as_json)
