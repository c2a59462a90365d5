"""A hub on this machine: its API for models, files behind redirects to a CDN on another port, and everything that goes wrong."""

import hashlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_API = re.compile(r"/api/models/(?P<repository>[^/]+/[^/]+)/revision/(?P<revision>[^/?]+)")
_RESOLVE = re.compile(r"/(?P<repository>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]+)")


@dataclass
class Request:
    """One that was answered."""

    server: str
    path: str
    headers: dict[str, str]
    status: int = 0
    sent: int = 0


@dataclass
class Trouble:
    """What goes wrong; each count goes down as it happens.

    Attributes:
        token: Without this bearer token the API and files answer 401.
        gated: Files and listing answer 403 with X-Error-Code GatedRepo.
        busy: How many times 429 comes first, with this `retry_after`.
        failing: How many times 503 comes first.
        broken: How many transfers end after half of their bytes.
        forgotten: How many CDN addresses have expired.
        crawling: How many transfers take 20 ms for each 4 kB.
        plain: The CDN ignores Range.
        short: Content-Range says one byte less than asked for.
        shifted: Content-Range says other bytes than asked for.
        parts: The CDN answers with several parts and without Content-Range.
        packed: The CDN says that it compressed what it sends.
        endless: The CDN sends bytes for ever, without saying how many.
        page: The API answers with a web page.
        wrong_length: Content-Length says more than comes.
        unsatisfiable: The CDN answers 416.
        endless_redirects: The file redirects to itself.
        elsewhere: Where files redirect to, instead of the CDN.
        changing: The CDN calls the file otherwise from the second answer on.
        grows: The file is a byte longer from the second answer on.
        linked: What the hub calls every file.
        listing: What the API answers instead of the truth.
        delay: Seconds before each answer.
    """

    token: str = ""
    gated: bool = False
    busy: int = 0
    retry_after: str = "0"
    failing: int = 0
    broken: int = 0
    forgotten: int = 0
    crawling: int = 0
    plain: bool = False
    short: bool = False
    shifted: bool = False
    parts: bool = False
    packed: bool = False
    endless: bool = False
    page: bool = False
    wrong_length: bool = False
    unsatisfiable: bool = False
    endless_redirects: bool = False
    elsewhere: str = ""
    changing: bool = False
    grows: bool = False
    linked: str = ""
    listing: Any = None
    delay: float = 0.0


@dataclass
class Hub:
    """Repositories (`org/name` -> folder) and what was asked of them."""

    repositories: dict[str, Path] = field(default_factory=dict)
    trouble: Trouble = field(default_factory=Trouble)
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    cdn: str = ""
    issued: Counter[str] = field(default_factory=Counter)
    expired: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def bytes_sent(self) -> int:
        """Bytes of files that went over the wire."""
        return sum(request.sent for request in self.requests if "/api/" not in request.path)

    def of(self, server: str) -> list[Request]:
        """Requests to the `hub` or the `cdn`."""
        return [request for request in self.requests if request.server == server]

    def expire(self, path: str) -> None:
        """Let the CDN forget all addresses that it gave for a file."""
        self.expired[path] = self.issued[path]

    def take(self, what: str) -> bool:
        """Count a trouble down; say whether it was there."""
        with self.lock:
            left = getattr(self.trouble, what)
            setattr(self.trouble, what, max(0, left - 1))
            return left > 0


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub
    kind: str

    def do_GET(self) -> None:
        self.request_made = Request(self.kind, self.path, {name.lower(): value for name, value in self.headers.items()})
        self.hub.requests.append(self.request_made)
        time.sleep(self.hub.trouble.delay)
        try:
            self._hub() if self.kind == "hub" else self._cdn()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        pass

    def _hub(self) -> None:
        trouble = self.hub.trouble
        if trouble.token and self.headers.get("authorization") != f"Bearer {trouble.token}":
            return self._answer(401, {"X-Error-Code": "RepoNotFound"})
        if trouble.gated:
            return self._answer(403, {"X-Error-Code": "GatedRepo"})
        if self.hub.take("busy"):
            return self._answer(429, {"Retry-After": trouble.retry_after})
        if self.hub.take("failing"):
            return self._answer(503)
        parts = urlsplit(self.path)
        if match := _API.fullmatch(parts.path):
            return self._listing(match["repository"], unquote(match["revision"]))
        if match := _RESOLVE.fullmatch(unquote(parts.path)):
            return self._resolve(match["repository"], match["path"])
        return self._answer(404)

    def _listing(self, repository: str, revision: str) -> None:
        folder = self.hub.repositories.get(repository)
        if self.hub.trouble.page:
            return self._answer(200, {"Content-Type": "text/html"}, b"<html>Log in to the network</html>")
        if folder is None:
            return self._answer(404, {"X-Error-Code": "RepoNotFound"})
        if revision not in ("main", "v1", COMMIT):
            return self._answer(404, {"X-Error-Code": "RevisionNotFound"})
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        siblings = [
            {
                "rfilename": path.relative_to(folder).as_posix(),
                "size": path.stat().st_size,
                "blobId": "f" * 40,
                "lfs": {"sha256": _sha(path), "size": path.stat().st_size, "pointerSize": 135},
            }
            for path in files
        ]
        document = {"id": repository, "sha": COMMIT, "lastModified": "2024-05-01T12:00:00.000Z", "siblings": siblings}
        body = json.dumps(self.hub.trouble.listing if self.hub.trouble.listing is not None else document).encode()
        return self._answer(200, {"Content-Type": "application/json"}, body)

    def _resolve(self, repository: str, path: str) -> None:
        trouble = self.hub.trouble
        folder = self.hub.repositories.get(repository)
        if folder is None or not (folder / path).is_file():
            return self._answer(404, {"X-Error-Code": "EntryNotFound"})
        with self.hub.lock:
            self.hub.issued[path] += 1
            signature = self.hub.issued[path]
        location = f"{self.hub.cdn}/{repository}/{path}?signature={signature}"
        if trouble.endless_redirects:
            location = self.path
        headers = {
            "Location": trouble.elsewhere or location,
            "X-Repo-Commit": COMMIT,
            "X-Linked-Size": str((folder / path).stat().st_size),
            "X-Linked-Etag": f'"{trouble.linked or _sha(folder / path)}"',
        }
        return self._answer(302, headers, b"see there")

    def _cdn(self) -> None:
        trouble, parts = self.hub.trouble, urlsplit(self.path)
        repository, path = unquote(parts.path).lstrip("/").split("/", 2)[:2], unquote(parts.path).lstrip("/").split("/", 2)[2]
        file = self.hub.repositories["/".join(repository)] / path
        size = file.stat().st_size
        signature = int(parse_qs(parts.query).get("signature", ["0"])[0])
        if not self.hub.expired[path] < signature <= self.hub.issued[path] or self.hub.take("forgotten"):
            return self._answer(403, body=b"<Error>expired</Error>")
        served = sum(request.server == "cdn" and request.status in (200, 206) for request in self.hub.requests)
        etag = f'"{_sha(file)[:8]}{"-new" if trouble.changing and served else ""}"'
        match = _RANGE.fullmatch(self.headers.get("range", ""))
        if match is None or trouble.plain:
            return self._answer(200, {"ETag": etag}, file.read_bytes())
        if trouble.unsatisfiable:
            return self._answer(416, {"Content-Range": f"bytes */{size}"})
        start, stop = int(match[1]), min(int(match[2]) + 1, size)
        told, total = (stop - 1 if trouble.short else stop), size + (1 if trouble.grows and served else 0)
        begin = start + trouble.shifted
        headers = {"ETag": etag, "Content-Range": f"bytes {begin}-{told - 1 + trouble.shifted}/{total}"}
        if trouble.parts:
            headers = {"ETag": etag, "Content-Type": "multipart/byteranges; boundary=x"}
        if trouble.packed:
            headers["Content-Encoding"] = "gzip"
        with file.open("rb") as opened:
            opened.seek(start)
            piece = opened.read(stop - start)
        if self.hub.take("broken"):
            return self._answer(206, headers | {"Content-Length": str(len(piece))}, piece[: len(piece) // 2], broken=True)
        if trouble.endless:
            return self._stream(headers)
        if trouble.wrong_length:
            headers["Content-Length"] = str(len(piece) + 5)
        return self._answer(206, headers, piece)

    def _stream(self, headers: dict[str, str]) -> None:
        self.request_made.status = 206
        self.send_response(206)
        for name, value in {"Transfer-Encoding": "chunked", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        while True:  # until the client hangs up
            self.request_made.sent += 1 << 16
            self.wfile.write(b"10000\r\n" + bytes(1 << 16) + b"\r\n")

    def _answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"", *, broken: bool = False) -> None:
        self.request_made.status = status
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        crawls = status == 206 and self.hub.take("crawling")
        step = 1 << 12 if crawls else 1 << 16
        for start in range(0, len(body), step):
            time.sleep(0.02 * crawls)
            piece = body[start : start + step]
            self.request_made.sent += len(piece)
            self.wfile.write(piece)
        if broken:
            self.close_connection = True


@contextmanager
def serving(repositories: dict[str, Path]) -> Iterator[Hub]:
    """Run a hub and its CDN while the block runs."""
    hub = Hub(dict(repositories))
    servers = []
    for kind in ("hub", "cdn"):
        handler = type(f"_{kind}", (_Handler,), {"hub": hub, "kind": kind})
        servers.append(_Server(("127.0.0.1", 0), handler))
    hub.url, hub.cdn = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    threads = [threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


_SHAS: dict[tuple[str, int, int], str] = {}


def _sha(path: Path) -> str:
    status = path.stat()
    key = (str(path), status.st_size, status.st_mtime_ns)
    if key not in _SHAS:
        _SHAS[key] = hashlib.sha256(path.read_bytes()).hexdigest()
    return _SHAS[key]
