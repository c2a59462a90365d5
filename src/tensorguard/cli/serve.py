"""`tensorguard serve`."""

from tensorguard.errors import UsageError


def serve() -> None:
    """Not built yet."""
    raise UsageError("not built yet")
