"""What a log tells of: each kind of event with its fields, in the order in which they are written (`schema/log-1.json`)."""

from collections.abc import Mapping
from typing import TypeAlias

from tensorguard.progress import Fact

Value: TypeAlias = Fact | Mapping[str, Fact]

SCHEMA = "tensorguard/log/1"
LOGGER = "tensorguard.events"
WELL = (0, 10, 129, 130, 143)
"""Exit codes that are no failure: done, done with an answer that was to be told apart, and ended by somebody."""

_FAILURE = ("kind", "error", "where", "hint")

FIELDS: Mapping[str, tuple[str, ...]] = {
    "command-started": ("schema", "version", "pid"),
    "command-ended": ("code", "seconds", "cpu_seconds", "peak_memory_bytes", "network_bytes", *_FAILURE),
    "models": ("total", "bytes", "workers"),
    "begun": ("model", "size"),
    "model": ("model", "status", "seconds", "bytes", *_FAILURE),
    "progress": ("task", "unit", "done", "total", "seconds"),
    "task": ("task", "unit", "done", "total", "seconds"),
    "note": ("name", "facts"),
    "serving": ("address",),
    "metrics": ("address",),
    "request": ("method", "route", "status", "seconds", "client"),
    "job": ("id", "kind", "subject", "status", "seconds", "answer", "error"),
    "library": ("logger", "message"),
    "printed": ("message",),
}
"""Facts that nobody told are null. `note` is what none of the others is; `library` and `printed` are what others wrote."""


def tell(event: str, *, bad: bool = False, **facts: Value) -> None:
    """Log an event, if this run has a log."""
    import logging  # 10 ms that a run without a log does not spend

    logger = logging.getLogger(LOGGER)
    if logger.hasHandlers():  # else logging would print what is bad on stderr
        logger.log(logging.ERROR if bad else logging.INFO, event, extra={"facts": facts})
