"""`tensorguard inspect MODEL`."""

from pathlib import Path

import typer

from tensorguard.cli.options import BASE, SEARCH
from tensorguard.cli.output import JSON, REPORTS, deliver


def inspect(
    model: str = typer.Argument(help="A model file, folder or adapter folder, ORG/NAME[@REVISION] on the hub, or https://..."),
    base: str | None = BASE,
    search: list[Path] = SEARCH,
    reports: list[str] = REPORTS,
    as_json: bool = JSON,
) -> None:
    """Show from headers alone what a model holds, how it was recognised, and what a fingerprint would read.

    \b
    tensorguard inspect ./model
    """
    from tensorguard.api.inspecting import inspect as run
    from tensorguard.reports.inspection import report

    inspected = run(model, base=base, search=search)
    deliver(report(inspected.location, inspected.notices, inspected.found), reports, as_json=as_json)
