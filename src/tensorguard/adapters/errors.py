"""How an adapter is refused: always by name, in one form."""

from typing import NoReturn

from tensorguard.errors import InputError


def refuse(reason: str, where: str, hint: str = "") -> NoReturn:
    """Raise an `InputError` about an adapter."""
    raise InputError(f"adapter: {reason}", where=where, hint=hint)
