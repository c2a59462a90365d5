"""One GET request, its redirects followed by hand: a token goes to the origin that it is for and to no other."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urljoin

import httpcore

from tensorguard.errors import InputError, NotFoundError, TensorGuardError
from tensorguard.sources.network import Origin, origin, pool, shown
from tensorguard.sources.pacing import PACE
from tensorguard.version import __version__

Credentials = Callable[[Origin], Mapping[str, str]]
"""Gives the headers that prove to an origin who asks; empty for all others."""

BROKEN = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)
"""What a connection fails with that may work the next time."""

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_SHORT = 1 << 14
_FAULT = "the fault is the server's: tell who runs it, or give another address"
_TIMEOUT = {"connect": 15.0, "read": 30.0, "write": 15.0, "pool": 120.0}
_SLOWEST = 20_000
"""Bytes a second; a transfer that is slower is broken off and tried again."""


class SlowError(Exception):
    """A transfer took longer than is bearable."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered after all redirects, its body not yet read.

    Attributes:
        url: Who answered.
        status: Never a redirect.
        headers: By lower-case name; with the hub's own (X-...) of the servers that redirected.
        body: The body in pieces.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: Iterator[bytes]


def anonymous(_: Origin) -> Mapping[str, str]:
    """The credentials of somebody who has none."""
    return {}


@contextmanager
def get(url: str, given: Origin, headers: Mapping[str, str], credentials: Credentials, longest: int) -> Iterator[Reply]:
    """Ask for something; the connection is given up if the body was not read when the block ends.

    Args:
        url: What.
        given: The origin that the user named.
        headers: To be sent to every server.
        credentials: Asked at every redirect anew.
        longest: Bytes of the body that are expected; decides how long it may take.

    Raises:
        InputError: A redirect leads where nothing is read from, or there are too many.
        NotFoundError: A host does not exist.
        httpcore exceptions of `BROKEN`, SlowError: The transfer failed.
    """
    first: dict[str, str] = {}
    for _hop in range(_MOST_REDIRECTS + 1):
        target = origin(url)
        if target == given:
            PACE.turn()
        sent = {"accept-encoding": "identity", "user-agent": f"tensorguard/{__version__}", **headers, **credentials(target)}
        with pool(target, given).stream("GET", url, headers=list(sent.items()), extensions={"timeout": _TIMEOUT}) as response:
            received = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            if response.status not in _REDIRECTS:
                deadline = time.monotonic() + _TIMEOUT["read"] + longest / _SLOWEST
                yield Reply(url, response.status, first | received, _until(response, deadline))
                return
            if (length := received.get("content-length", "")).isdigit() and int(length) <= _SHORT:
                for _ in _until(response, time.monotonic() + _TIMEOUT["read"]):  # so that the connection can be used again
                    pass
            first |= {name: value for name, value in received.items() if name.startswith("x-")}
            if "location" not in received:
                raise InputError("is redirected to nowhere", where=shown(url), hint=_FAULT)
            url = _joined(url, received["location"])
            if target.scheme == "https" and origin(url).scheme != "https":
                raise InputError("is redirected from https to plain http", where=shown(url), hint=_FAULT)
    raise InputError(f"is redirected more than {_MOST_REDIRECTS} times", where=shown(url), hint=_FAULT)


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise InputError("is redirected to what is no address", where=shown(url), hint=_FAULT) from error


def _until(response: httpcore.Response, deadline: float) -> Iterator[bytes]:
    for piece in response.iter_stream():
        if time.monotonic() > deadline:
            raise SlowError
        yield piece


def refused(reply: Reply, where: str) -> TensorGuardError:
    """Return the error for an answer that will be the same the next time."""
    code = reply.headers.get("x-error-code", "")
    if code == "GatedRepo":
        return NotFoundError(
            "gated: its publisher asks to be asked first", where=where, hint="accept its terms on the hub, and set HF_TOKEN"
        )
    if code in ("RevisionNotFound", "EntryNotFound", "DisabledRepo"):
        said = {"RevisionNotFound": "no such revision", "EntryNotFound": "no such file", "DisabledRepo": "disabled by the hub"}
        return NotFoundError(said[code], where=where, hint="look at the model's page on the hub")
    if reply.status in (401, 403) or code == "RepoNotFound":
        return NotFoundError(
            "not there, or not for everybody to read",
            where=where,
            hint="check the name; for a private or gated model set HF_TOKEN",
        )
    if reply.status in (404, 410):
        return NotFoundError("not there", where=where, hint="check the name")
    if reply.status == 416:
        return InputError(
            "ends before where it should: it changed, or its size was told wrongly", where=where, hint="try again"
        )
    return InputError(f"the server answers with status {reply.status}", where=where)
