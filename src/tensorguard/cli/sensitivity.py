"""`tensorguard sensitivity MODEL...`."""

from pathlib import Path

import typer

from tensorguard.cli.bar import progress
from tensorguard.cli.options import BASE, DEVICE, QUIET, REPEATS, SEARCH, SEED, SKIP_NONFINITE, WORKERS, names
from tensorguard.cli.output import JSON, REPORTS, deliver


def sensitivity(
    models: list[str] = typer.Argument(metavar="MODELS...", help="Models; several are compared with each other."),
    base: str | None = BASE,
    search: list[Path] = SEARCH,
    attention: bool = typer.Option(False, "--attention", help="Also ask attention-shaped probes."),
    roles: str | None = typer.Option(
        None, metavar="ROLE,...", help="Which weights.", show_default="q,k,v,o,gate,up,down,fc_in,fc_out"
    ),
    layers: str = typer.Option("all", metavar="N,N-M,...", help="Which blocks."),
    strategy: str = typer.Option("mixture", help="The strategy that several models are compared under."),
    top: int = typer.Option(5, min=1, max=1000, help="How many layers to list at each end."),
    repeats: int = REPEATS,
    seed: int = SEED,
    workers: int | None = WORKERS,
    device: str = DEVICE,
    skip_nonfinite: bool = SKIP_NONFINITE,
    reports: list[str] = REPORTS,
    as_json: bool = JSON,
    quiet: bool = QUIET,
) -> None:
    """Show how strongly each layer answers each kind of noise (the paper's RQ2 and figure 5).

    \b
    tensorguard sensitivity ./model -o table -o png=sensitivity.png
    tensorguard sensitivity ./model-a ./model-b --layers 0-7 -o html=sensitivity.html
    """
    from tensorguard.api.fingerprints import Settings
    from tensorguard.api.studies import compare_sensitivities
    from tensorguard.api.studies import sensitivity as run
    from tensorguard.fingerprint.sensitivity import ROLES, SensitivitySettings
    from tensorguard.reports.sensitivities import report

    asked = SensitivitySettings(seed, repeats, attention, tuple(names(roles) or ROLES), _blocks(layers))
    settings = Settings(device=device, skip_nonfinite=skip_nonfinite, base=base, search=tuple(search))
    with progress(quiet=quiet) as listener:
        analyses = [run(model, asked=asked, settings=settings, workers=workers, top=top, progress=listener) for model in models]
    comparison = compare_sensitivities(analyses, strategy=strategy) if len(analyses) > 1 else None
    deliver(report(analyses, comparison), reports, as_json=as_json)


def _blocks(text: str) -> tuple[int, ...] | None:
    """Return the blocks named by `0,3,8-11`, or None for all."""
    if text == "all":
        return None
    blocks: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or not (last or first).isdigit() or int(last or first) > 100_000:
            raise typer.BadParameter("block numbers such as 0,3,8-11, or `all`", param_hint="--layers")
        blocks += range(int(first), int(last or first) + 1)
    return tuple(blocks)
