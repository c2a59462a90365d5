"""Every error a user can meet, with its exit code, what went wrong, where, and what to do next.

Library code raises these; only the command line catches them. Text that comes from a file (tensor names, metadata) is untrusted
and is made harmless by `quote` before it enters a message.
"""

import itertools
from collections.abc import Collection

_SHOWN = 120


def quote(text: object, limit: int = _SHOWN) -> str:
    """Return untrusted text on one line, with control and bidirectional characters escaped and long text cut.

    Args:
        text: Anything read from a file or a user; it is passed through `str`.
        limit: The longest result in characters, before quotes.

    Returns:
        A printable string in single quotes.
    """
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(text)[: limit + 1])
    return f"'{shown[:limit]}…'" if len(shown) > limit else f"'{shown}'"


def utf8(text: object) -> str:
    """Return text that can be written as UTF-8; bytes of a file name that are not UTF-8 are escaped."""
    return str(text).encode("utf-8", "backslashreplace").decode("utf-8")


def quote_some(texts: Collection[object], most: int = 8) -> str:
    """Return the first of many untrusted texts, each by `quote`, with a mark if there are more."""
    shown = ", ".join(quote(text) for text in itertools.islice(texts, most))
    return f"{shown}, …" if len(texts) > most else shown


class TensorGuardError(Exception):
    """Base of all errors that TensorGuard raises on purpose.

    Attributes:
        exit_code: What the command line exits with.
        kind: A stable word for machines.
        message: What is wrong.
        where: The file, folder or model concerned; empty if none.
        hint: What to do next; empty if there is nothing to advise.
    """

    exit_code = 1
    kind = "fault"

    def __init__(self, message: str, *, where: object = "", hint: str = "") -> None:
        self.message = message
        self.where = str(where)
        self.hint = hint
        super().__init__(message, self.where, hint)

    def __str__(self) -> str:
        return f"{self.message} in {quote(self.where, 400)}" if self.where else self.message

    def fields(self) -> dict[str, str]:
        """Return kind, message, where and hint, for machines; all of it can be written as UTF-8."""
        return {"kind": self.kind, "message": self.message, "where": utf8(self.where), "hint": self.hint}

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling with all fields, so that a worker process can report the same error."""
        return _rebuild, (type(self), self.message, self.where, self.hint)


def _rebuild(kind: type[TensorGuardError], message: str, where: str, hint: str) -> TensorGuardError:
    return kind(message, where=where, hint=hint)


class UsageError(TensorGuardError):
    """The call asks for something that cannot be done whatever the input holds."""

    exit_code = 2
    kind = "usage"


class InputError(TensorGuardError):
    """A file is malformed, truncated, hostile, unsupported or over a limit."""

    exit_code = 3
    kind = "input"


class NotFoundError(TensorGuardError):
    """A model or file does not exist, or the base of an adapter was not found: the input is fine, what it needs is missing."""

    exit_code = 4
    kind = "not-found"


class PartialError(TensorGuardError):
    """Some of many inputs failed; the rest is done."""

    exit_code = 5
    kind = "partial"


class ResourceError(TensorGuardError):
    """Memory, a device or a worker was lost or is missing."""

    exit_code = 6
    kind = "resource"
