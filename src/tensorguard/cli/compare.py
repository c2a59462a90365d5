"""`tensorguard compare A B [C...]`."""

from pathlib import Path

import typer

from tensorguard.cli.bar import progress
from tensorguard.cli.options import BASE, DEVICE, INCLUDE_SIZE, KEY_FILE, QUICK, QUIET, SEARCH, key
from tensorguard.cli.output import JSON, REPORTS, deliver


def compare(
    models: list[str] = typer.Argument(
        metavar="MODELS...", help="Models, *.tgfp, registry:NAME, *_features.json or folders of them; any mix."
    ),
    deep: bool = typer.Option(False, "--deep", help="Also read both of two models, and compare them value by value."),
    key_file: Path | None = KEY_FILE,
    device: str = DEVICE,
    reference: Path | None = typer.Option(
        None, help="Standardise the 16 numbers by a saved clustering, or a folder of features."
    ),
    include_size: bool = INCLUDE_SIZE,
    base: str | None = BASE,
    search: list[Path] = SEARCH,
    quick: bool | None = QUICK,
    reports: list[str] = REPORTS,
    as_json: bool = JSON,
    quiet: bool = QUIET,
) -> None:
    """Tell how models are related: in a sentence, then with the evidence, the layer map and pictures.

    \b
    tensorguard compare ./model-a ./model-b
    tensorguard compare ./model-a ./model-b --deep -o html=a-b.html
    tensorguard compare fingerprints -o table -o png=matrix.png
    """
    from tensorguard.api.families import compare as run
    from tensorguard.api.fingerprints import Settings
    from tensorguard.reports.comparison import report

    settings = Settings(device=device, key=key(key_file), base=base, search=tuple(search), quick=quick)
    with progress(quiet=quiet) as listener:
        found = run(models, reference=reference, include_size=include_size, deep=deep, settings=settings, progress=listener)
    deliver(report(found.similarity, found.pairs, found.notices), reports, as_json=as_json)
