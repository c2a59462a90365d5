"""One event as one line: JSON for machines, words for people."""

import json
import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tensorguard.monitoring.events import FIELDS
from tensorguard.monitoring.redaction import Redaction

_LEVELS = {"DEBUG": "debug", "INFO": "info", "WARNING": "warning", "ERROR": "error", "CRITICAL": "error"}


class Record:
    """Makes of what was logged the fields of a line; everything in it is safe to show.

    Attributes:
        command: Which command runs.
    """

    def __init__(self, redaction: Redaction) -> None:
        self._safe = redaction.safe
        self.command = ""

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return the fields of a line."""
        facts: Mapping[str, Any] | None = getattr(record, "facts", None)
        event = record.msg if facts is not None else "library"
        if facts is None:
            facts = {"logger": record.name, "message": _message(record)}
        head = {"time": _time(record.created), "level": _LEVELS.get(record.levelname, "info"), "event": event}
        return {**head, "command": self.command, **{name: self._plain(facts.get(name)) for name in FIELDS[event]}}

    def _plain(self, value: Any) -> Any:
        if isinstance(value, float):
            return round(value, 6) if math.isfinite(value) else None
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, Mapping):
            return {self._safe(name): self._plain(each) for name, each in value.items()}
        return self._safe(value)


class JsonLines(logging.Formatter):
    """A line of JSON, in ASCII whatever stderr takes."""

    def __init__(self, record: Record) -> None:
        super().__init__()
        self._record = record

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return json.dumps(self._record.fields(record))


class TextLines(logging.Formatter):
    """A line of words: time, level, event, and `name=value` of every fact that is known."""

    def __init__(self, record: Record) -> None:
        super().__init__()
        self._record = record

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, in which text stands in quotes."""
        fields = self._record.fields(record)
        head = [fields.pop("time"), f"{fields.pop('level'):7}", fields.pop("event")]
        return " ".join([*head, *(f"{name}={_word(value)}" for name, value in fields.items() if value is not None)])


def _word(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _message(record: logging.LogRecord) -> str:
    """Return what a library said; a mistake of its own in saying it is no fault here."""
    try:
        text = record.getMessage()
    except (TypeError, ValueError, KeyError):
        text = str(record.msg)
    return text if record.exc_info is None else f"{text}\n{logging.Formatter().formatException(record.exc_info)}"


def _time(seconds: float) -> str:
    """Return a time as RFC 3339 says, in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
