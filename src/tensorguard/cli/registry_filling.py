"""`tensorguard registry add`, `build` and `import`: put something into a registry."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tensorguard.cli.bar import progress
from tensorguard.cli.crowds import ADDRESS, ENGINE, MEMORY, fleet
from tensorguard.cli.options import BASE, DEVICE, KEY_FILE, QUICK, QUIET, REGISTRY, SEARCH, WORKERS, key, registry_folder
from tensorguard.cli.output import JSON, deliver

if TYPE_CHECKING:
    from tensorguard.registry.catalogue import Known
    from tensorguard.registry.entry import Facts
    from tensorguard.registry.outcome import Added

FORCE = typer.Option(False, "--force", help="Compute what is there, too, and replace other weights of the same name.")
_RELEASED = re.compile(r"\d{4}-\d{2}(-\d{2})?", re.ASCII)


def add(
    models: list[str] = typer.Argument(
        metavar="MODEL...", help="Model folders, files, adapters or *.tgfp, ORG/NAME[@REVISION] on the hub, or https://..."
    ),
    name: str | None = typer.Option(None, help="What to call it.", show_default="its repository or its own name"),
    repository: str = typer.Option(
        "", metavar="ORG/NAME", help="Where it is published; the catalogue's facts of it are taken."
    ),
    revision: str = typer.Option("", help="Its commit or tag."),
    family: str = typer.Option("", help='Such as "Llama 3.1".'),
    publisher: str = typer.Option("", help="Who published it."),
    licence: str = typer.Option("", help="Licence id as model cards give it."),
    parent: list[str] = typer.Option([], "--parent", help="A model that it was made of; repeatable."),
    relation: str = typer.Option("", help="What it is of its parents: finetune, merge, quantized, adapter ..."),
    released: str = typer.Option("", help="YYYY-MM-DD or YYYY-MM."),
    key_file: Path | None = KEY_FILE,
    base: str | None = BASE,
    search: list[Path] = SEARCH,
    device: str = DEVICE,
    quick: bool | None = QUICK,
    workers: int | None = WORKERS,
    force: bool = FORCE,
    folder: Path | None = REGISTRY,
    as_json: bool = JSON,
    quiet: bool = QUIET,
) -> None:
    """Fingerprint models and add them; what is there is skipped, so it can be called again after an interruption.

    A .tgfp is somebody's claim: it is marked unverified until `registry verify` computes it from the weights.

    \b
    tensorguard registry add ./Llama-3.1-8B --repository meta-llama/Llama-3.1-8B
    tensorguard registry add models/* --key-file secret.key
    """
    from tensorguard.api.fingerprints import Settings
    from tensorguard.api.registry import Adding, add_models
    from tensorguard.errors import utf8
    from tensorguard.registry.entry import Facts
    from tensorguard.registry.opening import open_registry

    facts = Facts(repository, revision, family, publisher, licence, tuple(parent), relation, released)
    _require_sound(facts)
    settings = Settings(device=device, key=key(key_file), base=base, search=tuple(search), quick=quick)
    how = Adding(facts, name, settings, force, workers)
    place = registry_folder(folder)
    with open_registry(place, create=True) as opened, progress(quiet=quiet) as listener:
        outcomes = list(add_models(opened, models, how, listener))
    described = {"registry": utf8(place), "key": settings.key.identity(), "force": force}
    _deliver("registry-add", outcomes, described, as_json=as_json)


def build(
    catalogue: Path | None = typer.Argument(
        None,
        help="A list of models, ORG/NAME[@REVISION] a line, or a catalogue: tab-separated, with the columns of the one that ships.",
    ),
    shipped: bool = typer.Option(False, "--shipped", help="The catalogue that comes with TensorGuard."),
    search: list[Path] = typer.Option(
        [], "--search", metavar="DIR", help="Where models lie as ORG/NAME, ORG--NAME or NAME; repeatable."
    ),
    remote: bool = typer.Option(
        False, "--remote", help="Read those that are not on this machine from the hub, by ranges; nothing is kept of them."
    ),
    update: bool = typer.Option(
        False, "--update", help="Ask the hub also for models that are there, and replace those that it has newer."
    ),
    jobs: int = typer.Option(4, min=1, max=32, help="How many models of the hub at a time."),
    rate: float = typer.Option(
        5.0, min=0.01, max=1000, help="Requests a second to the hub, at most; files come from elsewhere."
    ),
    key_file: Path | None = KEY_FILE,
    device: str = DEVICE,
    quick: bool | None = QUICK,
    workers: int | None = typer.Option(
        None, min=1, help="Threads for one model, processes for many.", show_default="all processors"
    ),
    memory: float | None = MEMORY,
    engine: str = ENGINE,
    address: str | None = ADDRESS,
    force: bool = FORCE,
    folder: Path | None = REGISTRY,
    as_json: bool = JSON,
    quiet: bool = QUIET,
) -> None:
    """Add a list's models that are on this machine: in the hub's cache, or below a folder to be searched.

    With --remote, add the others from the hub; what is there already is not asked for again, so it can be interrupted and called again.

    \b
    tensorguard registry build --shipped
    tensorguard registry build my-models.txt --search /data/models --remote
    """
    from tensorguard.api.at_hand import hub_folder
    from tensorguard.api.building import build as run
    from tensorguard.api.fingerprints import Settings
    from tensorguard.api.registry import Adding
    from tensorguard.errors import NotFoundError, UsageError, utf8
    from tensorguard.registry.catalogue import catalogue as shipped_rows
    from tensorguard.registry.catalogue import read_catalogue
    from tensorguard.registry.opening import open_registry

    if (catalogue is None) is not shipped:
        raise UsageError(
            "one catalogue is built from", hint="give a file, or --shipped for the one that comes with TensorGuard"
        )
    rows = shipped_rows() if catalogue is None else read_catalogue(catalogue)
    for each in search:
        if not each.is_dir():
            raise NotFoundError("no such folder", where=each)
    folders = [*search, hub_folder()]
    settings = Settings(device=device, key=key(key_file), search=tuple(folders), quick=quick)
    how = Adding(settings=settings, force=force, workers=workers, remote=remote, update=update, jobs=jobs, rate=rate)
    place = registry_folder(folder)
    outcomes: list[Added] = []
    described = {
        "registry": utf8(place),
        "catalogue": "shipped" if catalogue is None else utf8(catalogue),
        "search": [utf8(each) for each in folders],
        "key": settings.key.identity(),
        "force": force,
    }
    try:
        with (
            open_registry(place, create=True) as opened,
            fleet(engine, address, workers) as crowd,
            progress(quiet=quiet) as listener,
        ):
            budget = None if memory is None else int(memory * 1e9)
            for outcome in run(opened, rows, folders, how, listener, memory=budget, engine=crowd):
                outcomes.append(outcome)  # noqa: PERF402 - those that are done stay when it is interrupted
    except KeyboardInterrupt:
        _built(rows, outcomes, described, as_json=as_json)
        raise
    _built(rows, outcomes, described, as_json=as_json)
    _judge(outcomes, remote=remote)


def import_(
    file: Path = typer.Argument(help="What `registry export` wrote."),
    force: bool = typer.Option(False, "--force", help="Replace also what was verified here."),
    folder: Path | None = REGISTRY,
    as_json: bool = JSON,
) -> None:
    """Add an archive's fingerprints as claims, marked unverified; all of it is checked before anything is written.

    \b
    tensorguard registry import known.tar
    """
    from tensorguard.api.registry import import_archive
    from tensorguard.errors import utf8

    place = registry_folder(folder)
    outcomes = sorted(import_archive(place, file, force=force), key=lambda outcome: outcome.given)
    described = {"registry": utf8(place), "archive": utf8(file), "force": force}
    _deliver("registry-import", outcomes, described, as_json=as_json)


def _built(rows: Sequence["Known"], outcomes: Sequence["Added"], settings: dict[str, object], *, as_json: bool) -> None:
    from tensorguard.reports.building import built

    places = {row.repository: number for number, row in enumerate(rows)}
    deliver(built(sorted(outcomes, key=lambda each: places[each.given]), len(rows), settings), [], as_json=as_json)


def _judge(outcomes: Sequence["Added"], *, remote: bool) -> None:
    """Say by an exit code whether models are missing: those that are nowhere on this machine only if the hub was asked, too."""
    from tensorguard.errors import NotFoundError, PartialError

    missing = [each for each in outcomes if each.status == "not at hand"]
    failed = [each for each in outcomes if each.status == "failed"]
    if outcomes and len(missing) == len(outcomes):
        hint = "name the folder that holds them: --search DIR"
        raise NotFoundError("none of the catalogue's models is at hand", hint=hint if remote else f"{hint}; or --remote")
    if len(failed) == len(outcomes) == 1 and failed[0].error:
        raise failed[0].error
    left = failed + missing if remote else failed
    if left:
        raise PartialError(
            f"{len(failed + missing)} of {len(outcomes)} models are not in the registry", hint="the list above says why"
        )


def _require_sound(facts: "Facts") -> None:
    from tensorguard.registry.catalogue import RELATIONS

    if facts.relation and facts.relation not in RELATIONS:
        raise typer.BadParameter(f"one of {', '.join(RELATIONS)}", param_hint="--relation")
    if facts.released and not _RELEASED.fullmatch(facts.released):
        raise typer.BadParameter("YYYY-MM-DD or YYYY-MM", param_hint="--released")


def _deliver(kind: str, outcomes: Sequence["Added"], settings: dict[str, object], *, as_json: bool) -> None:
    from tensorguard.errors import PartialError
    from tensorguard.reports.registry import added

    failed = [outcome.error for outcome in outcomes if outcome.status == "failed" and outcome.error]
    if len(failed) == len(outcomes) == 1:
        raise failed[0]
    deliver(added(kind, outcomes, settings), [], as_json=as_json)
    if failed:
        raise PartialError(f"{len(failed)} of {len(outcomes)} models failed", hint="the list above says why")
