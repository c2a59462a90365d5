"""Lines of a log, each held against the published schema."""

import json
from typing import Any

from support.commands import check


def lines(text: str) -> list[dict[str, Any]]:
    """The objects of a log in JSON; every line has to be one, with no character that cannot be printed."""
    assert text.endswith("\n")
    found = []
    for line in text.splitlines():
        assert line.isascii()
        assert line.isprintable(), line
        document = json.loads(line)
        check(document, "log/1")
        assert all(each.isprintable() for each in texts(document))
        found.append(document)
    return found


def texts(value: Any) -> list[str]:
    """All texts in a document."""
    if isinstance(value, dict):
        return [text for name, each in value.items() for text in (name, *texts(each))]
    return [value] if isinstance(value, str) else []


def one(found: list[dict[str, Any]], event: str) -> dict[str, Any]:
    """The one line of an event."""
    (line,) = [each for each in found if each["event"] == event]
    return line
