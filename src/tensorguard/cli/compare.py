"""`tensorguard compare A B [C...]`."""

from pathlib import Path

import typer

from tensorguard.cli.bar import progress
from tensorguard.cli.options import BASE, INCLUDE_SIZE, QUIET, SEARCH
from tensorguard.cli.output import JSON, REPORTS, deliver


def compare(
    models: list[Path] = typer.Argument(help="Models, *.tgfp, *_features.json or folders of them; any mix."),
    reference: Path | None = typer.Option(None, help="A saved clustering, or a folder of features, to standardise by."),
    include_size: bool = INCLUDE_SIZE,
    base: Path | None = BASE,
    search: list[Path] = SEARCH,
    reports: list[str] = REPORTS,
    as_json: bool = JSON,
    quiet: bool = QUIET,
) -> None:
    """Tell which trained weights models share (certain), and how far apart their standardised fingerprints are.

    \b
    tensorguard compare ./model-a ./model-b
    tensorguard compare fingerprints -o table -o png=distances.png -o html=distances.html
    """
    from tensorguard.api.families import compare as run
    from tensorguard.api.fingerprints import Settings
    from tensorguard.reports.similarity import report

    with progress(quiet=quiet) as listener:
        settings = Settings(base=base, search=tuple(search))
        found = run(models, reference=reference, include_size=include_size, settings=settings, progress=listener)
    deliver(report(found.similarity, found.identities), reports, as_json=as_json)
