"""`tensorguard scan`."""

from tensorguard.errors import UsageError


def scan() -> None:
    """Not built yet."""
    raise UsageError("not built yet")
