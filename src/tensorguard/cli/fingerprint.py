"""`tensorguard fingerprint MODEL... -o DIR`."""

from pathlib import Path

import typer

from tensorguard.cli.bar import progress
from tensorguard.cli.options import BASE, DEVICE, KEY_FILE, QUIET, REPEATS, SEARCH, SEED, SKIP_NONFINITE, key
from tensorguard.cli.output import JSON, deliver


def fingerprint(
    models: list[str] = typer.Argument(
        metavar="MODEL...", help="Model files, folders or adapter folders, ORG/NAME[@REVISION] on the hub, or https://..."
    ),
    output: Path = typer.Option(Path(), "--output", "-o", metavar="DIR", help="Folder for NAME.tgfp and NAME_features.json."),
    base: str | None = BASE,
    search: list[Path] = SEARCH,
    repeats: int = REPEATS,
    seed: int = SEED,
    layers: str = typer.Option("3", help="Layers of each category that are asked, or `all`."),
    features: str = typer.Option("paper", help="`paper`: the 16 numbers; `extended`: richer ones beside them."),
    lineage: bool = typer.Option(
        True, help="Also the lineage fingerprint: digests and sketches of all tensors, which reads the whole model."
    ),
    key_file: Path | None = KEY_FILE,
    workers: int | None = typer.Option(
        None, min=1, help="Threads for one model, processes for many.", show_default="all processors"
    ),
    memory: float | None = typer.Option(
        None, min=0.1, help="GB that processes may take together.", show_default="half of what is free"
    ),
    device: str = DEVICE,
    skip_nonfinite: bool = SKIP_NONFINITE,
    quick: bool = typer.Option(False, "--quick", help="Read the first rows of some matrices alone; no 16 numbers then."),
    force: bool = typer.Option(False, "--force", help="Compute also what is there already."),
    as_json: bool = JSON,
    quiet: bool = QUIET,
) -> None:
    """Compute fingerprints of models and write them to a folder; finished ones are skipped.

    \b
    tensorguard fingerprint ./Llama-3.2-1B -o fingerprints
    tensorguard fingerprint ./my-adapter --base ./Llama-3.2-1B -o fingerprints
    tensorguard fingerprint models/* -o fingerprints --workers 4
    """
    from tensorguard.api.fingerprints import Settings
    from tensorguard.api.many import fingerprint_many
    from tensorguard.errors import PartialError
    from tensorguard.fingerprint.specification import Specification
    from tensorguard.probes.inputs import ProbeSpec
    from tensorguard.reports.fingerprints import report

    specification = Specification(ProbeSpec(seed=seed, repeats=repeats), _layers(layers))
    settings = Settings(
        specification, device, _extended(features), lineage, key(key_file), skip_nonfinite, base, tuple(search), quick=quick
    )
    budget = None if memory is None else int(memory * 1e9)
    with progress(quiet=quiet) as listener:
        outcomes = list(
            fingerprint_many(models, output, settings=settings, workers=workers, memory=budget, force=force, progress=listener)
        )
    failed = [outcome.error for outcome in outcomes if outcome.error]
    if len(failed) == len(outcomes) == 1:
        raise failed[0]
    deliver(report(outcomes, settings.described()), [], as_json=as_json)
    if failed:
        raise PartialError(f"{len(failed)} of {len(outcomes)} models failed", hint="the list above says why")


def _layers(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdigit() or not 1 <= int(text) <= 1_000_000:
        raise typer.BadParameter("a number from 1, or `all`", param_hint="--layers")
    return int(text)


def _extended(text: str) -> bool:
    if text not in ("paper", "extended"):
        raise typer.BadParameter("`paper` or `extended`", param_hint="--features")
    return text == "extended"
