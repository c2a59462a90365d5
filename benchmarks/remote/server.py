"""A hub on this machine, in a process of its own: the API for models, and files by ranges from a second server behind redirects.

Small files are answered by the hub itself, large ones by the other server, as huggingface.co does it.
"""

import json
import multiprocessing
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import unquote, urlsplit

from benchmarks.remote.link import Link
from benchmarks.remote.repository import COMMIT, File, Repository

_API = re.compile(r"/api/models/(?P<repository>[^/]+/[^/]+)(?:/revision/[^/]+)?")
_RESOLVE = re.compile(r"/(?P<repository>[^/]+/[^/]+)/resolve/[^/]+/(?P<path>.+)")
_STORED = re.compile(r"/(?P<repository>[^/]+/[^/]+)/(?P<path>.+)")
_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]*)")


@dataclass
class Counts:
    """What went over the line.

    Attributes:
        requests: Answered.
        connections: Made.
        read: Bytes of files.
        answers: Bytes of the API's answers.
    """

    requests: int = 0
    connections: int = 0
    read: int = 0
    answers: int = 0


class Hub:
    """What one server process knows.

    Args:
        repositories: That can be asked for.
        link: Between it and its clients.
    """

    def __init__(self, repositories: Sequence[Repository], link: Link) -> None:
        self.repositories = {each.name: each for each in repositories}
        self.link, self.counts, self.lock = link, Counts(), threading.Lock()
        self.files_url = ""

    def count(self, **more: int) -> None:
        with self.lock:
            for name, amount in more.items():
                setattr(self.counts, name, getattr(self.counts, name) + amount)


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    hub: Hub
    stores: bool

    def setup(self) -> None:
        super().setup()
        self.hub.count(connections=1)
        self.hub.link.connected()

    def log_message(self, *arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._any()

    def do_GET(self) -> None:
        self._any()

    def _any(self) -> None:
        self.hub.count(requests=1)
        self.hub.link.asked()
        path = unquote(urlsplit(self.path).path)
        if self.stores:
            match = _STORED.fullmatch(path)
            return self._file(match, self._found(match))
        if match := _API.fullmatch(path):
            return self._listing(match["repository"])
        match = _RESOLVE.fullmatch(path)
        file = self._found(match)
        if match and file and file.linked:
            headers = {"X-Repo-Commit": COMMIT, "X-Linked-Size": str(file.size), "X-Linked-ETag": f'"{file.tag}"'}
            return self._answer(302, {"Location": f"{self.hub.files_url}/{match['repository']}/{match['path']}"} | headers)
        return self._file(match, file)

    def _found(self, match: re.Match[str] | None) -> File | None:
        repository = self.hub.repositories.get(match["repository"]) if match else None
        return repository.files.get(match["path"]) if match and repository else None

    def _listing(self, name: str) -> None:
        repository = self.hub.repositories.get(name)
        if repository is None:
            return self._answer(404, {"X-Error-Code": "RepoNotFound"})
        siblings = [_sibling(path, file) for path, file in sorted(repository.files.items())]
        document = {"id": name, "sha": COMMIT, "lastModified": "2024-05-01T12:00:00.000Z", "siblings": siblings}
        body = json.dumps(document).encode()
        self.hub.count(answers=len(body))
        return self._answer(200, {"Content-Type": "application/json"}, len(body), iter([body]))

    def _file(self, match: re.Match[str] | None, file: File | None) -> None:
        if match is None or file is None:
            return self._answer(404, {"X-Error-Code": "EntryNotFound"})
        headers = {"ETag": f'"{file.tag}"', "Accept-Ranges": "bytes", "X-Repo-Commit": COMMIT}
        start, stop, status = 0, file.size, 200
        if asked := _RANGE.fullmatch(self.headers.get("range", "")):
            start, stop, status = int(asked[1]), min(int(asked[2] or file.size) + 1, file.size), 206
            if start >= stop:
                return self._answer(416, {"Content-Range": f"bytes */{file.size}"})
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file.size}"
        body = self.hub.repositories[match["repository"]].read(match["path"], start, stop)
        return self._answer(status, headers, stop - start, self._counted(body))

    def _counted(self, body: Iterator[bytes]) -> Iterator[bytes]:
        for piece in body:
            self.hub.count(read=len(piece))
            yield piece

    def _answer(self, status: int, headers: Mapping[str, str], length: int = 0, body: Iterable[bytes] = ()) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            for piece in body:
                for part in self.hub.link.paced(piece):
                    self.wfile.write(part)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


def _sibling(path: str, file: File) -> dict[str, Any]:
    found = {"rfilename": path, "size": file.size, "blobId": file.tag[:40]}
    return found | {"lfs": {"sha256": file.tag, "size": file.size, "pointerSize": 135}} if file.linked else found


class Client:
    """The benchmark's side of a running hub."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.url: str = pipe.recv()

    def counts(self) -> Counts:
        """Return what went over the line since this was last asked."""
        self._pipe.send("counts")
        found: Counts = self._pipe.recv()
        return found


@contextmanager
def serving(repositories: Sequence[Repository], round_trip: float, bandwidth: float) -> Iterator[Client]:
    """Run a hub behind a `Link` while the block runs."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(there, repositories, round_trip, bandwidth), daemon=True
    )
    process.start()
    try:
        yield Client(here)
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection, repositories: Sequence[Repository], round_trip: float, bandwidth: float) -> None:
    hub = Hub(repositories, Link(round_trip, bandwidth))
    for each in repositories:
        assert each.files  # tokenizers are made now
    urls = []
    for stores in (False, True):
        handler = type("_Handler", (_Handler,), {"hub": hub, "stores": stores})
        server = _Server(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        urls.append(f"http://127.0.0.1:{server.server_address[1]}")
    hub.files_url = urls[1]
    pipe.send(urls[0])
    with suppress(EOFError):  # whoever measures has gone
        while pipe.recv():
            with hub.lock:
                counts, hub.counts = hub.counts, Counts()
            pipe.send(counts)
