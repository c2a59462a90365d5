"""`tensorguard registry verify [NAME...]`."""

from pathlib import Path

import typer

from tensorguard.cli.bar import progress
from tensorguard.cli.options import BASE, DEVICE, KEY_FILE, QUIET, REGISTRY, key, registry_folder
from tensorguard.cli.output import JSON, deliver


def verify(
    names: list[str] = typer.Argument(None, metavar="[NAME]...", help="Which entries.", show_default="all"),
    search: list[Path] = typer.Option(
        [],
        "--search",
        metavar="DIR",
        help="Where the models lie as ORG/NAME, ORG--NAME or NAME, or in the hub's cache; repeatable.",
    ),
    model: Path | None = typer.Option(None, "--model", metavar="PATH", help="The model of the one entry that is named."),
    key_file: Path | None = KEY_FILE,
    base: Path | None = BASE,
    device: str = DEVICE,
    workers: int | None = typer.Option(None, min=1, help="How many threads.", show_default="all processors"),
    folder: Path | None = REGISTRY,
    as_json: bool = JSON,
    quiet: bool = QUIET,
) -> None:
    """Check that the registry is whole; with models at hand, compute their fingerprints again and mark those verified that agree.

    Exit code 3 if a fingerprint is damaged or the weights contradict it.

    \b
    tensorguard registry verify
    tensorguard registry verify --search /data/models
    tensorguard registry verify my-model --model ./my-model
    """
    from tensorguard.api.fingerprints import Settings
    from tensorguard.api.verification import verify as run
    from tensorguard.errors import InputError, PartialError, utf8
    from tensorguard.registry.opening import open_registry
    from tensorguard.reports.registry import verified

    settings = Settings(device=device, key=key(key_file), base=base, search=tuple(search))
    place = registry_folder(folder)
    with open_registry(place) as opened, progress(quiet=quiet) as listener:
        problems = [] if names else [str(error) for name, error in opened.damage() if not name]
        found = list(
            run(opened, names or (), model=model, search=search, settings=settings, workers=workers, progress=listener)
        )
        # Of a damaged registry nothing is removed: a file that no entry names may be the one that was meant.
        damaged = problems or any(each.status == "damaged" for each in found)
        swept = 0 if names or damaged else opened.sweep()
    described = {
        "registry": utf8(place),
        "model": None if model is None else utf8(model),
        "search": [utf8(each) for each in search],
        "key": settings.key.identity(),
    }
    deliver(verified(found, problems, swept, described), [], as_json=as_json)
    bad = sum(each.status in ("damaged", "contradicted") for each in found)
    if bad or problems:
        reason = f"{bad} of {len(found)} entries are damaged or contradicted by the weights" if bad else problems[0]
        raise InputError(reason, where=place, hint="the list above says why")
    failed = sum(each.status == "failed" for each in found)
    if failed:
        raise PartialError(f"{failed} of {len(found)} models at hand cannot be read", hint="the list above says why")
