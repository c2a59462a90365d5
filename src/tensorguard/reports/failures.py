"""Why models failed, of which there may be thousands: grouped by reason."""

import re
from collections import defaultdict
from collections.abc import Sequence

from tensorguard.errors import TensorGuardError
from tensorguard.reports.document import Cell, Table

_NAMED, MOST = 3, 200
_OWN = re.compile(r"'[^']*'|\d[\d,.]*")
"""What differs between models that failed for the same reason: names and numbers."""


def reasons(title: str, failed: Sequence[tuple[str, TensorGuardError]]) -> Table:
    """Return how many models failed for each reason, the commonest first.

    Args:
        title: Of the table.
        failed: What each model is called, and why it failed.
    """
    groups: defaultdict[tuple[str, str], list[tuple[str, TensorGuardError]]] = defaultdict(list)
    for name, error in failed:
        groups[_OWN.sub("…", error.message), _OWN.sub("…", error.hint.replace(name, "ORG/NAME"))].append((name, error))
    rows: list[list[Cell]] = []
    for (_, _), members in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])):
        names, (first, error) = [name for name, _ in members], members[0]
        such = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
        rows.append([error.message, len(names), such, error.hint.replace(first, "ORG/NAME")])
    return Table(title, ("why", "models", "such as", "what to do"), rows[:MOST])
