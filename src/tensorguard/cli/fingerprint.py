"""`tensorguard fingerprint MODEL... -o DIR`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tensorguard.cli.bar import progress
from tensorguard.cli.crowds import ADDRESS, BELOW, ENGINE, FAILURES, FROM, MEMORY, fleet, listed
from tensorguard.cli.options import BASE, DEVICE, KEY_FILE, QUIET, REPEATS, SEARCH, SEED, SKIP_NONFINITE, key
from tensorguard.cli.output import JSON, deliver
from tensorguard.errors import utf8

if TYPE_CHECKING:
    from tensorguard.api.listing import Listed
    from tensorguard.fingerprint.outcome import FingerprintOutcome


def fingerprint(
    models: list[str] | None = typer.Argument(
        None,
        metavar="[MODEL...]",
        help="Model files, folders or adapter folders, ORG/NAME[@REVISION] on the hub, or https://...",
    ),
    output: Path = typer.Option(
        Path(), "--output", "-o", metavar="DIR", help="Folder, or s3://BUCKET/PREFIX, for NAME.tgfp and NAME_features.json."
    ),
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
    memory: float | None = MEMORY,
    engine: str = ENGINE,
    address: str | None = ADDRESS,
    from_: str | None = FROM,
    below: list[Path] = BELOW,
    failures: Path | None = FAILURES,
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
    tensorguard fingerprint --below /data/models -o fingerprints --failures failed.txt
    tensorguard fingerprint --from failed.txt -o fingerprints
    """
    from tensorguard.api.fingerprints import Settings
    from tensorguard.api.listing import distinct
    from tensorguard.api.many import fingerprint_many
    from tensorguard.errors import PartialError, ResourceError, UsageError
    from tensorguard.fingerprint.specification import Specification
    from tensorguard.probes.inputs import ProbeSpec
    from tensorguard.reports.fingerprints import report

    specification = Specification(ProbeSpec(seed=seed, repeats=repeats), _layers(layers))
    settings = Settings(
        specification, device, _extended(features), lineage, key(key_file), skip_nonfinite, base, tuple(search), quick=quick
    )
    budget = None if memory is None else int(memory * 1e9)
    if failures is not None and (failures.is_dir() or not failures.parent.is_dir()):
        raise UsageError("no file can be there", where=failures, hint="--failures takes a file in a folder that is there")
    given = distinct(listed(models or [], from_, below))
    outcomes: list[FingerprintOutcome] = []

    def tell() -> None:
        order = {utf8(each.place): number for number, each in enumerate(given)}
        outcomes.sort(key=lambda outcome: order[outcome.model])
        deliver(report(outcomes, settings.described(), len(given)), [], as_json=as_json)
        _list_failures(failures, given, outcomes)

    try:
        with fleet(engine, address, workers) as crowd, progress(quiet=quiet) as listener:
            for outcome in fingerprint_many(
                given, output, settings=settings, workers=workers, memory=budget, force=force, progress=listener, engine=crowd
            ):
                outcomes.append(outcome)  # noqa: PERF402 - those that are done stay when it is interrupted
    except (KeyboardInterrupt, ResourceError):
        if failures is not None and from_ is not None and failures.absolute() == Path(from_).absolute():
            failures = None  # what was not reached is in that list alone
        if outcomes:
            tell()
        raise
    failed = [outcome.error for outcome in outcomes if outcome.error]
    if len(failed) == len(outcomes) == 1:
        _list_failures(failures, given, outcomes)
        raise failed[0]
    tell()
    if failed:
        raise PartialError(f"{len(failed)} of {len(outcomes)} models failed", hint="the list above says why")


def _list_failures(path: Path | None, given: "Sequence[Listed]", outcomes: "Sequence[FingerprintOutcome]") -> None:
    """Write those that failed, if it was asked for; an empty list if none did."""
    if path is None:
        return
    from tensorguard.api.listing import write_list

    failed = {outcome.model: str(outcome.error) for outcome in outcomes if outcome.error}
    write_list(path, ((each, failed[name]) for each in given if (name := utf8(each.place)) in failed))


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
