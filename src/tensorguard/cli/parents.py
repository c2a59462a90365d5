"""`tensorguard parents MODEL CANDIDATES...`."""

from pathlib import Path

import typer

from tensorguard.cli.bar import progress
from tensorguard.cli.options import DEVICE, KEY_FILE, QUIET, SEARCH, key
from tensorguard.cli.output import JSON, REPORTS, deliver


def parents(
    model: str = typer.Argument(metavar="MODEL", help="The model to explain, its *.tgfp, or registry:NAME."),
    candidates: list[str] = typer.Argument(
        metavar="CANDIDATES...", help="What it may be made of: models, *.tgfp or registry:NAME, any mix."
    ),
    base: str | None = typer.Option(
        None, metavar="NAME", help="Which candidate is the common base of the others, if that is known."
    ),
    key_file: Path | None = KEY_FILE,
    device: str = DEVICE,
    search: list[Path] = SEARCH,
    reports: list[str] = REPORTS,
    as_json: bool = JSON,
    quiet: bool = QUIET,
) -> None:
    """Tell what a merge is made of: its parents among candidates, and how much of each, with intervals.

    \b
    tensorguard parents ./merged ./tuned-a ./tuned-b ./base --base base
    tensorguard parents merged.tgfp fingerprints/*.tgfp -o table -o png=weights.png
    """
    from tensorguard.api.fingerprints import Settings
    from tensorguard.api.lineage import find_parents
    from tensorguard.reports.parents import report

    settings = Settings(device=device, key=key(key_file), search=tuple(search))
    with progress(quiet=quiet) as listener:
        name, found = find_parents(model, candidates, base=base, settings=settings, progress=listener)
    deliver(report(name, found), reports, as_json=as_json)
