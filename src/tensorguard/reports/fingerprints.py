"""What `fingerprint` tells: a line per model, and for one model alone its layers."""

from collections.abc import Mapping, Sequence
from typing import Any

from tensorguard.errors import TensorGuardError, quote
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.file import plain
from tensorguard.fingerprint.outcome import FingerprintOutcome
from tensorguard.reports.document import Cell, Document, Table
from tensorguard.reports.wording import coverage

_READING = (
    "The norms hold only input width and noise, std only the shape; mean, skewness and kurtosis see the weights. "
    "So the 16 numbers tell architecture and size, not which of two models of equal shape this is."
)


def report(outcomes: Sequence[FingerprintOutcome], settings: Mapping[str, Any]) -> Document:
    """Return the document of one call of `fingerprint`."""
    prints = [outcome.fingerprint for outcome in outcomes if outcome.fingerprint]
    tables = [_models(outcomes)]
    if len(outcomes) == len(prints) == 1 and prints[0].features:
        tables += [_features(prints[0]), _layers(prints[0])]
    return Document(
        kind="fingerprint",
        title="Fingerprints",
        summary=_summary(outcomes),
        result=[_machine(outcome) for outcome in outcomes],
        settings=settings,
        inputs=[{"model": outcome.model} for outcome in outcomes],
        skipped=[
            *({"name": outcome.model, "reason": _reason(outcome.error)} for outcome in outcomes if outcome.error),
            *({"name": f"{p.name}: {name}", "reason": reason} for p in prints for name, reason in p.skipped),
        ],
        notices=[f"{p.name}: {notice}" if len(prints) > 1 else notice for p in prints for notice in _notices(p)],
        tables=tables,
    )


def _notices(found: Fingerprint) -> list[str]:
    sampled = [] if found.coverage is None else [f"{coverage(found.name, found.coverage)}; so do the 16 numbers"]
    return [*found.notices, *sampled]


def _reason(error: TensorGuardError) -> str:
    return f"{error} ({error.hint})" if error.hint else f"{error}"


def _summary(outcomes: Sequence[FingerprintOutcome]) -> str:
    count = {status: sum(o.status == status for o in outcomes) for status in ("done", "finished before", "failed")}
    said = [f"{number} {status}" for status, number in count.items() if number]
    return f"{len(outcomes)} model{'s' if len(outcomes) != 1 else ''}: {', '.join(said)}."


def _machine(outcome: FingerprintOutcome) -> dict[str, Any]:
    error = outcome.error
    return {
        "model": outcome.model,
        "status": outcome.status,
        "fingerprint": plain(outcome.fingerprint) if outcome.fingerprint else None,
        "error": error.fields() if error else None,
    }


def _models(outcomes: Sequence[FingerprintOutcome]) -> Table:
    rows: list[list[Cell]] = []
    for outcome in outcomes:
        if outcome.fingerprint:
            found = outcome.fingerprint
            read = found.elements_read if found.coverage is None else found.coverage.elements
            share = read / max(1, found.elements)
            rows.append([found.name, outcome.status, found.architecture, found.elements, len(found.layers), f"{share:.1%}"])
        else:
            rows.append([outcome.model, outcome.status, None, None, None, None])
    return Table("Models", ("model", "status", "architecture", "parameters", "layers asked", "of the weights"), rows)


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
