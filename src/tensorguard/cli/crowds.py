"""Options of commands that take many models: lists of them, what runs them, and where those that failed are listed."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from tensorguard.api.listing import Listed
    from tensorguard.engines.base import Fleet

FROM = typer.Option(
    None, "--from", metavar="FILE", help="A list of models, one a line (after a tab: what to call it); - for standard input."
)
BELOW = typer.Option([], "--below", metavar="DIR", help="All models below a folder, each named after its place; repeatable.")
FAILURES = typer.Option(
    None, "--failures", metavar="FILE", help="Where to list the models that failed, to be given again by --from."
)
ENGINE = typer.Option("processes", help="`processes` of this machine, or `ray`: a cluster (the `ray` extra).")
ADDRESS = typer.Option(
    None,
    metavar="ADDRESS",
    help="Of the Ray cluster; `local` for one of its own here.",
    show_default="RAY_ADDRESS, or one that runs here",
)
MEMORY = typer.Option(None, min=0.1, max=1e6, help="GB that processes may take together.", show_default="half of what is free")


def listed(models: list[str], file: str | None, folders: list[Path]) -> "list[str | Path | Listed]":
    """Return the models that were given in any of these ways.

    Raises:
        NotFoundError: A list or a folder is not there.
        InputError: A list cannot be understood.
    """
    from tensorguard.api.listing import below, read_list

    return [*models, *(read_list(file) if file is not None else ()), *(each for folder in folders for each in below(folder))]


def fleet(engine: str, address: str | None, workers: int | None) -> "AbstractContextManager[Fleet | None]":
    """Return what runs many models, to be entered; None for processes of this machine.

    Raises:
        ResourceError: Ray is not installed, or no cluster answers.
    """
    if engine not in ("processes", "ray"):
        raise typer.BadParameter("`processes` or `ray`", param_hint="--engine")
    if engine == "processes":
        if address is not None:
            raise typer.BadParameter("goes with --engine ray", param_hint="--address")
        return nullcontext(None)
    from tensorguard.engines.ray import Ray

    return Ray(address, workers)
