"""`tensorguard check MODEL`."""

from pathlib import Path

import typer

from tensorguard.cli.bar import progress
from tensorguard.cli.options import BASE, DEVICE, MODEL, QUICK, QUIET, REGISTRY, SEARCH, SKIP_NONFINITE, registry_folder
from tensorguard.cli.options import key as read_key
from tensorguard.cli.output import JSON, REPORTS, deliver
from tensorguard.cli.scan import COMPARED, FAMILIES, KEY

_FAILED = 10
"""Exit code where a --fail-on condition is met."""


def check(
    model: str = typer.Argument(metavar="MODEL", help=MODEL),
    fail_on: list[str] = typer.Option(
        [],
        "--fail-on",
        metavar="SEVERITY|RULE[,...]",
        help="Exit with 10 if there is a finding of this severity or worse (error, warning, note), or of this rule; repeatable.",
    ),
    name: str | None = typer.Option(None, help="The name under which it is published.", show_default="as its files say"),
    registry: Path | None = REGISTRY,
    key_file: Path | None = KEY,
    families: Path | None = FAMILIES,
    compared: int = COMPARED,
    base: str | None = BASE,
    search: list[Path] = SEARCH,
    skip_nonfinite: bool = SKIP_NONFINITE,
    device: str = DEVICE,
    quick: bool | None = QUICK,
    reports: list[str] = REPORTS,
    as_json: bool = JSON,
    quiet: bool = QUIET,
) -> None:
    """Hold what a model claims (card, licence, base, name) against what its weights show and its ancestors' licences ask.

    \b
    tensorguard check ./model
    tensorguard check ./model --fail-on error -o table -o sarif=model.sarif
    tensorguard check ./model --fail-on TG101,TG102,TG203 --name my-org/Llama-mine
    """
    conditions = _conditions(fail_on)

    from tensorguard.api.checking import check as run
    from tensorguard.api.fingerprints import Settings
    from tensorguard.reports.check import report

    settings = Settings(device=device, base=base, search=tuple(search), skip_nonfinite=skip_nonfinite, quick=quick)
    with progress(quiet=quiet) as listener:
        found = run(
            model,
            registry_folder(registry),
            name=name,
            settings=settings,
            key=read_key(key_file),
            families=families,
            compared=compared,
            progress=listener,
        )
    deliver(report(found), reports, as_json=as_json)
    if any(each.severity in conditions or each.rule in conditions for each in found.findings):
        raise typer.Exit(_FAILED)


def _conditions(given: list[str]) -> frozenset[str]:
    """Return the severities and rules on which to fail; a severity stands for all that are worse, too."""
    if not given:
        return frozenset()
    from tensorguard.licences.audit import SEVERITIES
    from tensorguard.licences.rules import RULES

    wanted: set[str] = set()
    for word in (each.strip() for text in given for each in text.split(",")):
        if word.lower() in SEVERITIES:
            wanted.update(SEVERITIES[: SEVERITIES.index(word.lower()) + 1])
        elif word.upper() in RULES:
            wanted.add(word.upper())
        else:
            raise typer.BadParameter(
                f"{word!r} is no severity (error, warning, note) and no rule (TG101 ...)", param_hint="--fail-on"
            )
    return frozenset(wanted)
