"""What `registry build` tells: what became of each model, and why some are missing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tensorguard.errors import TensorGuardError
from tensorguard.registry.outcome import Added
from tensorguard.reports.document import Cell, Document, Table
from tensorguard.reports.failures import MOST, reasons
from tensorguard.reports.registry import added


def built(outcomes: Sequence[Added], total: int, settings: Mapping[str, Any]) -> Document:
    """Return the document of `registry build`.

    Args:
        outcomes: What became of each model.
        total: How many there were; more than outcomes, if it was interrupted.
        settings: The effective settings.
    """
    document = added("registry-build", outcomes, settings)
    missing = [(each.given, each.error) for each in outcomes if each.error]
    if len(outcomes) < total:
        notice = f"Interrupted after {len(outcomes):,} of {total:,} models; what is done is kept, and the same call goes on from there."
        document = replace(document, notices=[*document.notices, notice])
    if not missing:
        return document
    return replace(document, tables=[*document.tables, reasons("Why models are missing", missing), _missing(missing)])


def _missing(missing: Sequence[tuple[str, TensorGuardError]]) -> Table:
    rows: list[list[Cell]] = [[name, error.message] for name, error in missing]
    more = f"{len(rows) - MOST:,} more; --json lists all." if len(rows) > MOST else ""
    return Table("Missing models", ("model", "why"), rows[:MOST], more)
