"""`tensorguard cluster FEATURES...`."""

from pathlib import Path

import typer

from tensorguard.cli.bar import progress
from tensorguard.cli.options import BASES, INCLUDE_SIZE, QUIET, names
from tensorguard.cli.output import JSON, REPORTS, deliver


def cluster(
    models: list[str] = typer.Argument(
        metavar="MODELS...", help="Folders of *_features.json, *.tgfp or models; the bases among them."
    ),
    bases: str | None = BASES,
    labels: Path | None = typer.Option(None, help="JSON with `bases` and `labels` (model to base): measures the accuracy."),
    save: Path | None = typer.Option(None, help="Save the families for `classify` and `compare --reference`."),
    include_size: bool = INCLUDE_SIZE,
    reports: list[str] = REPORTS,
    as_json: bool = JSON,
    quiet: bool = QUIET,
) -> None:
    """Sort models into families by K-means that starts from known bases, as the paper does.

    \b
    tensorguard cluster features --labels labels.json -o table -o html=families.html
    tensorguard cluster fingerprints --bases Llama-3.2-1B,Qwen2.5-3B --save families.json
    """
    from tensorguard.api.families import cluster as run
    from tensorguard.family.clustering import save_clustering
    from tensorguard.reports.clusters import report

    with progress(quiet=quiet) as listener:
        families, strategies = run(models, bases=names(bases), labels=labels, include_size=include_size, progress=listener)
    if save:
        save_clustering(save, families)
    deliver(report(families, strategies), reports, as_json=as_json)
