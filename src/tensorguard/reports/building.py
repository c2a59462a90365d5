"""What `registry build` tells: what became of each model, and why some are missing."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tensorguard.errors import TensorGuardError
from tensorguard.registry.outcome import Added
from tensorguard.reports.document import Cell, Document, Table
from tensorguard.reports.registry import added

_NAMED, _MOST = 3, 200


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
    return replace(document, tables=[*document.tables, _reasons(missing), _missing(missing)])


def _reasons(missing: Sequence[tuple[str, TensorGuardError]]) -> Table:
    """Return how many models are missing for each reason, the commonest first."""
    groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for name, error in missing:
        groups[error.message, error.hint.replace(name, "ORG/NAME")].append(name)
    rows: list[list[Cell]] = [
        [why, len(names), ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else ""), hint]
        for (why, hint), names in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    ]
    return Table("Why models are missing", ("why", "models", "such as", "what to do"), rows[:_MOST])


def _missing(missing: Sequence[tuple[str, TensorGuardError]]) -> Table:
    rows: list[list[Cell]] = [[name, error.message] for name, error in missing]
    more = f"{len(rows) - _MOST:,} more; --json lists all." if len(rows) > _MOST else ""
    return Table("Missing models", ("model", "why"), rows[:_MOST], more)
