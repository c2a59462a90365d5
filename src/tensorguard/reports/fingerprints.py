"""What `fingerprint` tells: a line per model, and for one model alone its layers."""

from collections.abc import Mapping, Sequence
from typing import Any

from tensorguard.errors import TensorGuardError, quote
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.file import plain
from tensorguard.fingerprint.outcome import FingerprintOutcome, Summary
from tensorguard.reports.document import Cell, Document, Table
from tensorguard.reports.failures import MOST, reasons
from tensorguard.reports.wording import coverage

_READING = (
    "The norms hold only input width and noise, std only the shape; mean, skewness and kurtosis see the weights. "
    "So the 16 numbers tell architecture and size, not which of two models of equal shape this is."
)


_LISTED = 100
"""Models up to which the table has a line for each; of more, it has one for each that failed."""

_WHOLE = 1000
"""Fingerprints up to which the result for machines holds all of them, 0.1 MB each; more are in their files alone."""


def report(outcomes: Sequence[FingerprintOutcome], settings: Mapping[str, Any], total: int | None = None) -> Document:
    """Return the document of one call of `fingerprint`.

    Args:
        outcomes: What became of each model.
        settings: The effective settings.
        total: How many there were; more than outcomes, if it was interrupted.
    """
    found = [outcome.summary for outcome in outcomes if outcome.summary]
    failed = [(outcome.model, outcome.error) for outcome in outcomes if outcome.error]
    tables = [_models(outcomes if len(outcomes) <= _LISTED else [each for each in outcomes if each.error])]
    if len(failed) > 1:
        tables.append(reasons("Why models failed", failed))
    if len(outcomes) == len(found) == 1 and (alone := outcomes[0].fingerprint) is not None and alone.features:
        tables += [_features(alone), _layers(alone)]
    many = len(found) > _WHOLE
    notices = [f"{each.name}: {notice}" if len(found) > 1 else notice for each in found for notice in _notices(each)]
    return Document(
        kind="fingerprint",
        title="Fingerprints",
        summary=_summary(outcomes),
        result=[_machine(outcome, in_full=not many) for outcome in outcomes],
        settings=settings,
        inputs=[{"model": outcome.model} for outcome in outcomes],
        skipped=[
            *({"name": name, "reason": _reason(error)} for name, error in failed),
            *({"name": f"{each.name}: {name}", "reason": reason} for each in found for name, reason in each.skipped),
        ],
        notices=[*_about(len(outcomes), total, many=many), *notices],
        tables=[table for table in tables if table.rows],
    )


def _about(count: int, total: int | None, *, many: bool) -> list[str]:
    said = [f"More than {_WHOLE:,} fingerprints: they are in their files, and not repeated in JSON."] if many else []
    if total is not None and count < total:
        said.append(f"Ended after {count:,} of {total:,} models; what is done is kept, and the same call goes on from there.")
    return said


def _notices(found: Summary) -> list[str]:
    sampled = [] if found.coverage is None else [f"{coverage(found.name, found.coverage)}; so do the 16 numbers"]
    return [*found.notices, *sampled]


def _reason(error: TensorGuardError) -> str:
    return f"{error} ({error.hint})" if error.hint else f"{error}"


def _summary(outcomes: Sequence[FingerprintOutcome]) -> str:
    count = {status: sum(o.status == status for o in outcomes) for status in ("done", "finished before", "failed")}
    said = [f"{number:,} {status}" for status, number in count.items() if number]
    return f"{len(outcomes):,} model{'s' if len(outcomes) != 1 else ''}: {', '.join(said)}."


def _machine(outcome: FingerprintOutcome, *, in_full: bool) -> dict[str, Any]:
    error = outcome.error
    found = outcome.fingerprint if in_full else None
    return {
        "model": outcome.model,
        "status": outcome.status,
        "fingerprint": plain(found) if found else None,
        "error": error.fields() if error else None,
    }


def _models(outcomes: Sequence[FingerprintOutcome]) -> Table:
    rows: list[list[Cell]] = []
    for outcome in outcomes[:MOST]:
        found = outcome.summary
        if found:
            read = found.elements_read if found.coverage is None else found.coverage.elements
            share = read / max(1, found.elements)
            rows.append([found.name, outcome.status, found.architecture, found.elements, found.layers, f"{share:.1%}"])
        else:
            rows.append([outcome.model, outcome.status, None, None, None, None])
    more = f"{len(outcomes) - MOST:,} more; --json and --failures list all." if len(outcomes) > MOST else ""
    return Table("Models", ("model", "status", "architecture", "parameters", "layers asked", "of the weights"), rows, more)


def _features(found: Fingerprint) -> Table:
    rows: list[list[Cell]] = [[key, value] for key, value in (*found.features.items(), *found.extended.items())]
    return Table(f"The 16 numbers of {quote(found.name)}", ("feature", "value"), rows, _READING)


def _layers(found: Fingerprint) -> Table:
    columns = ("layer", "role", "category", "shape", "mean", "std", "norm", "skewness", "kurtosis", "gain")
    rows: list[list[Cell]] = [
        [
            layer.layer,
            layer.role,
            layer.category,
            f"{layer.shape[0]}x{layer.shape[1]}",
            layer.mean,
            layer.std,
            layer.norm,
            layer.skewness,
            layer.kurtosis,
            layer.gain,
        ]
        for layer in found.layers
    ]
    note = "Statistics of the gradient G = u x^T, averaged over the repeats; gain is ||W x|| / ||x||."
    return Table("Layers asked", columns, rows, note)
