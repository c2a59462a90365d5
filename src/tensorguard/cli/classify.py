"""`tensorguard classify MODEL --families FILE`."""

from pathlib import Path

import typer

from tensorguard.cli.bar import progress
from tensorguard.cli.options import BASE, QUIET, SEARCH
from tensorguard.cli.output import JSON, REPORTS, deliver


def classify(
    model: str = typer.Argument(metavar="MODEL", help="A model, a *.tgfp, registry:NAME or a *_features.json."),
    families: Path = typer.Option(..., help="What `tensorguard cluster --save` wrote."),
    threshold: float | None = typer.Option(None, min=0, help="Largest distance inside a family.", show_default="the paper's 7"),
    base: str | None = BASE,
    search: list[Path] = SEARCH,
    reports: list[str] = REPORTS,
    as_json: bool = JSON,
    quiet: bool = QUIET,
) -> None:
    """Tell which known family a model belongs to, or that it is out of cluster.

    \b
    tensorguard classify ./unknown-model --families families.json
    """
    from tensorguard.api.families import classify as run
    from tensorguard.api.fingerprints import Settings
    from tensorguard.family.clustering import load_clustering
    from tensorguard.reports.classification import report

    clustering = load_clustering(families)
    settings = Settings(lineage=False, base=base, search=tuple(search))
    with progress(quiet=quiet) as listener:
        found = run(model, clustering, threshold=threshold, settings=settings, progress=listener)
    deliver(report(found, clustering), reports, as_json=as_json)
