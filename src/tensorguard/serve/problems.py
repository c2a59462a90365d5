"""Errors as the API tells them: `{"error": {kind, message, where, hint}}` and a fitting status (RFC 9110, section 15)."""

import json
import logging
import os
from collections.abc import Mapping

from tensorguard.errors import InputError, NotFoundError, PartialError, ResourceError, TensorGuardError, UsageError, quote

_log = logging.getLogger(__name__)

_STATUSES: Mapping[type[TensorGuardError], int] = {
    UsageError: 400,
    InputError: 422,
    NotFoundError: 404,
    PartialError: 500,
    ResourceError: 503,
}


class RefusedError(TensorGuardError):
    """A request that is not served, with the status that says so.

    Attributes:
        status: The HTTP status.
        wait: After how many seconds it may be served; 0 if waiting does not help.
    """

    kind = "refused"

    def __init__(self, status: int, message: str, *, hint: str = "", wait: float = 0.0) -> None:
        super().__init__(message, hint=hint)
        self.status, self.wait = status, wait


def status(error: TensorGuardError) -> int:
    """Return the HTTP status of an error."""
    return error.status if isinstance(error, RefusedError) else _STATUSES.get(type(error), 500)


def fields(error: TensorGuardError) -> dict[str, str]:
    """Return what a machine reads of an error, on one line each and safe to show."""
    return {name: quote(text, 1000)[1:-1] for name, text in error.fields().items()}


def body(error: TensorGuardError) -> bytes:
    """Return the body of an answer that tells an error."""
    return json.dumps({"error": fields(error)}).encode()


def headers(error: TensorGuardError) -> dict[str, str]:
    """Return the headers that go with it."""
    found = {"content-type": "application/json"}
    if isinstance(error, RefusedError) and error.wait:
        found["retry-after"] = str(int(error.wait) + 1)
    if isinstance(error, RefusedError) and error.status == 401:
        found["www-authenticate"] = "Bearer"
    return found


def unexpected() -> TensorGuardError:
    """Return the error that stands for a fault of ours, which says nothing of its inside."""
    return TensorGuardError("this is a fault of TensorGuard", hint="start it with TENSORGUARD_DEBUG=1 to see where")


def log_fault(what: str) -> None:
    """Log the fault of ours that is being dealt with, whole, where a log is kept; on stderr with TENSORGUARD_DEBUG alone."""
    if os.environ.get("TENSORGUARD_DEBUG") or logging.getLogger().hasHandlers():
        _log.exception(what)
