"""What stands before every route: hosts, origins, tokens, sizes and times are checked before anything is done.

A page of another site that our user visits can make their browser send us requests. What it cannot do is choose the Host header of a
name that it has bound to our address (DNS rebinding), the Origin and Sec-Fetch-Site headers, or make the browser send our cookie along
(SameSite=Strict); each of the three is checked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from tensorguard.errors import TensorGuardError
from tensorguard.serve import problems
from tensorguard.serve.access import Access
from tensorguard.serve.policies import ALWAYS
from tensorguard.serve.problems import RefusedError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = frozenset({"/", "/api/v1/health"})
STATIC = "/static/"
"""What anybody may ask for: the page's own files, which hold no data."""
METRICS = "/metrics"
"""What a second token opens, which opens nothing else: a scraper has to keep its token in a file."""
STREAMED = frozenset({"/api/v1/jobs/upload", "/api/v1/search"})
"""Routes that take long bodies and count them as they come."""
MAX_URL, MAX_BODY, BODY_SECONDS = 8_192, 65_536, 20.0

_READING = frozenset({"GET", "HEAD"})
_METHODS = _READING | {"POST", "DELETE"}
_SAME = frozenset({"same-origin", "none"})
"""Sec-Fetch-Site of our own page, and of a user who typed the address."""


class Guard:
    """An ASGI application around another one, which sees only requests that are let in."""

    def __init__(self, app: App, access: Access, hosts: frozenset[str]) -> None:
        self._app, self._access, self._hosts = app, access, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # there are no web sockets here; the server closes them
        answer = _Answer(send)
        try:
            self._admit(scope)
            if scope["path"] not in STREAMED:
                receive = _replayed(await _body(receive))
            await self._app(scope, receive, answer)
        except TensorGuardError as error:
            await answer.refuse(error)
        except Exception:  # a fault of ours: its request fails, and the server goes on
            problems.log_fault("a request failed")
            await answer.refuse(problems.unexpected())

    def _admit(self, scope: Scope) -> None:
        """Raise RefusedError for whatever is not to be served."""
        headers = _headers(scope)
        if scope["method"] not in _METHODS:
            raise RefusedError(405, "this method is not served")
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_URL:
            raise RefusedError(414, f"the address is longer than {MAX_URL} bytes")
        host = headers.get("host", "").lower()
        if host not in self._hosts:
            hint = "open the address that the server printed; allow the name of a reverse proxy with --allow-host"
            raise RefusedError(421, "this server does not go by that name", hint=hint)
        _require_own_origin(headers, host)
        if scope["path"] not in OPEN and not scope["path"].startswith(STATIC):
            self._authenticate(scope, headers)
        _require_length(scope, headers)

    def _authenticate(self, scope: Scope, headers: Mapping[str, str]) -> None:
        """Let in who shows the token, or a cookie; who shows the cookie must be our own page."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            address = str((scope.get("client") or ("",))[0])
            wait = self._access.wait(address)
            if wait:
                raise RefusedError(429, "too many wrong tokens", hint="wait a little", wait=wait)
            of_metrics = scope["path"] == METRICS and self._access.is_metrics_token(token.strip())
            if not of_metrics and not self._access.is_token(token.strip()):
                self._access.failed(address)
                raise RefusedError(401, "the token is wrong", hint="it stands in the address that the server printed")
            return
        if not self._access.is_session(_cookie(headers.get("cookie", ""), self._access.cookie)):
            raise RefusedError(
                401, "a token is needed", hint="open the address that the server printed, or send it as a bearer token"
            )
        # Without either header it is no browser of this decade, and nothing would tell our page from another.
        told = "sec-fetch-site" in headers or "origin" in headers
        if headers.get("sec-fetch-site", "same-origin") not in _SAME or (scope["method"] not in _READING and not told):
            raise RefusedError(403, "a request of another page")


def _require_own_origin(headers: Mapping[str, str], host: str) -> None:
    """Refuse what a page of another origin sends, whoever is logged in."""
    origin = headers.get("origin")
    if origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}"):
        raise RefusedError(403, "a request of another page")
    if headers.get("sec-fetch-site") in ("cross-site", "same-site") and headers.get("sec-fetch-mode") != "navigate":
        raise RefusedError(403, "a request of another page")


def _require_length(scope: Scope, headers: Mapping[str, str]) -> None:
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit() and len(length) < 20):
        raise RefusedError(400, "the length of the request is no number")
    if scope["path"] not in STREAMED and int(length) > MAX_BODY:
        raise RefusedError(413, f"the request is longer than {MAX_BODY} bytes")


def _headers(scope: Scope) -> dict[str, str]:
    """Return the headers by their names; of a name that comes twice, where that matters, nothing is served."""
    found: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1").lower()
        if name in found and name in ("host", "origin", "authorization", "content-length", "sec-fetch-site"):
            raise RefusedError(400, f"the request has two headers {name}")
        text = value.decode("latin-1")
        found[name] = f"{found[name]}; {text}" if name in found else text
    return found


def _cookie(text: str, name: str) -> str:
    try:
        found = SimpleCookie(text).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


async def _body(receive: Receive) -> bytes:
    """Return the body of a request that has to be short, and quick."""
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise RefusedError(400, "the request ended early")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > MAX_BODY:
                    raise RefusedError(413, f"the request is longer than {MAX_BODY} bytes")
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError as error:
        raise RefusedError(408, "the request came too slowly") from error


def _replayed(body: bytes) -> Receive:
    """Return what hands a body on that was read already."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    return receive


class _Answer:
    """Sends an answer with the headers that every one has."""

    def __init__(self, send: Send) -> None:
        self._send, self._begun, self._ended = send, False, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            given = {bytes(name).lower() for name, _ in message["headers"]}
            more = [(name.encode(), value.encode()) for name, value in ALWAYS.items() if name.encode() not in given]
            message = {**message, "headers": [*message["headers"], *more]}
        await self._send(message)
        self._ended = message["type"] == "http.response.body" and not message.get("more_body", False)

    async def refuse(self, error: TensorGuardError) -> None:
        """Tell an error, unless it was told already, or an answer is under way: the server then breaks the connection off."""
        if self._ended:
            return
        if self._begun:
            raise error
        body = problems.body(error)
        told = {**problems.headers(error), "content-length": str(len(body)), "connection": "close"}
        headers = [(name.encode(), value.encode()) for name, value in told.items()]
        await self({"type": "http.response.start", "status": problems.status(error), "headers": headers})
        await self({"type": "http.response.body", "body": body})
