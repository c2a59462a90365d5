"""`tensorguard tree MODELS...`."""

from pathlib import Path

import typer

from tensorguard.cli.bar import progress
from tensorguard.cli.options import BASE, DEVICE, KEY_FILE, QUIET, SEARCH, key
from tensorguard.cli.output import JSON, REPORTS, deliver


def tree(
    models: list[str] = typer.Argument(metavar="MODELS...", help="Models, *.tgfp or registry:NAME, any mix."),
    key_file: Path | None = KEY_FILE,
    device: str = DEVICE,
    base: str | None = BASE,
    search: list[Path] = SEARCH,
    reports: list[str] = REPORTS,
    as_json: bool = JSON,
    quiet: bool = QUIET,
) -> None:
    """Draw the most likely family tree of models, with directions where their weights show one, and merges.

    \b
    tensorguard tree fingerprints/*.tgfp
    tensorguard tree ./base ./tuned ./merged -o table -o png=tree.png
    """
    from tensorguard.api.fingerprints import Settings
    from tensorguard.api.lineage import tree as run
    from tensorguard.reports.trees import report

    settings = Settings(device=device, key=key(key_file), base=base, search=tuple(search))
    with progress(quiet=quiet) as listener:
        found, pairs = run(models, settings=settings, progress=listener)
    deliver(report(found, pairs), reports, as_json=as_json)
