"""`tensorguard compare A B [C...]`."""

from pathlib import Path

import typer

from tensorguard.cli.bar import progress
from tensorguard.cli.options import INCLUDE_SIZE, QUIET
from tensorguard.cli.output import JSON, REPORTS, deliver


def compare(
    models: list[Path] = typer.Argument(help="Models, *.tgfp, *_features.json or folders of them; any mix."),
    reference: Path | None = typer.Option(None, help="A saved clustering, or a folder of features, to standardise by."),
    include_size: bool = INCLUDE_SIZE,
    reports: list[str] = REPORTS,
    as_json: bool = JSON,
    quiet: bool = QUIET,
) -> None:
    """Tell how far apart models are: Euclidean distance of their standardised fingerprints.

    \b
    tensorguard compare ./model-a ./model-b
    tensorguard compare fingerprints -o table -o png=distances.png -o html=distances.html
    """
    from tensorguard.api.families import compare as run
    from tensorguard.reports.similarity import report

    with progress(quiet=quiet) as listener:
        similarity = run(models, reference=reference, include_size=include_size, progress=listener)
    deliver(report(similarity), reports, as_json=as_json)
