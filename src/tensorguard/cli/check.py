"""`tensorguard check`."""

from tensorguard.errors import UsageError


def check() -> None:
    """Not built yet."""
    raise UsageError("not built yet")
