"""`tensorguard doctor [FOLDER|MODEL]`."""

from pathlib import Path

import typer

from tensorguard.cli.bar import progress
from tensorguard.cli.options import QUIET, REGISTRY
from tensorguard.cli.output import JSON, REPORTS, deliver


def doctor(
    place: Path = typer.Argument(
        Path(),
        metavar="[FOLDER|MODEL]",
        help="A folder whose disk is measured, or a model on this machine, which is forecast for.",
    ),
    hub: bool = typer.Option(False, "--hub", help="Also ask the hub for an answer; nothing else uses the network."),
    registry: Path | None = REGISTRY,
    reports: list[str] = REPORTS,
    as_json: bool = JSON,
    quiet: bool = QUIET,
) -> None:
    """Tell what is slow on this machine, what to change, and how long fingerprints take here.

    \b
    tensorguard doctor
    tensorguard doctor /data/models
    """
    from tensorguard.api.doctor import diagnose
    from tensorguard.reports.doctor import report

    with progress(quiet=quiet) as listener:
        found = diagnose(place, hub=hub, registry=registry, progress=listener)
    deliver(report(str(place), found), reports, as_json=as_json)
