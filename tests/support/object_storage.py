"""A real S3 server of this process (moto's), whose requests are seen, and spoilt if a test wants that."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from urllib.request import Request as Call
from urllib.request import urlopen

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

Start = Callable[..., Any]
BUCKET = "bucket"
_OWN = "the test itself"


@dataclass(frozen=True)
class Request:
    """What was asked for: `GET`, the key (or an empty one for a listing), the first byte and the byte after the last."""

    method: str
    key: str
    start: int = 0
    stop: int = 0


@dataclass
class Storage:
    """The server: what it was asked, and what it is to do wrong."""

    url: str = ""
    asked: list[Request] = field(default_factory=list)
    refuse: int = 0
    """So many requests are answered with 503."""
    cut: int = 0
    """So many answers end in the middle."""
    before_get: Callable[[str], None] | None = None
    """Called with the key of each object that is read, before it is."""

    def of(self, method: str, *, below: str = "") -> list[Request]:
        return [each for each in self.asked if each.method == method and each.key.startswith(below) and each.key]

    def listings(self) -> int:
        return sum(each.method == "GET" and not each.key for each in self.asked)

    def put(self, key: str, raw: bytes) -> None:
        """Put an object, by whatever key; it is not counted."""
        self._call("PUT", f"{BUCKET}/{quote(key)}", raw)

    def clear(self) -> None:
        """Begin anew, with an empty bucket."""
        self._call("POST", "moto-api/reset")
        self._call("PUT", BUCKET)
        self.asked.clear()
        self.refuse = self.cut = 0
        self.before_get = None

    def _call(self, method: str, path: str, raw: bytes = b"") -> None:
        signed = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
        headers = {"content-type": "binary/octet-stream", "authorization": signed, "user-agent": _OWN}
        with urlopen(Call(f"{self.url}/{path}", data=raw, method=method, headers=headers), timeout=30) as answer:
            assert answer.status == 200

    def upload(self, folder: Path, key: str) -> str:
        """Put a folder's files; returns its address."""
        for file in folder.rglob("*"):
            if file.is_file():
                self.put(f"{key}/{file.relative_to(folder)}", file.read_bytes())
        return f"s3://{BUCKET}/{key}"

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        key = unquote(environ["PATH_INFO"].lstrip("/").partition("/")[2])
        method = environ["REQUEST_METHOD"]
        begin, _, last = environ.get("HTTP_RANGE", "bytes=0--1").removeprefix("bytes=").partition("-")
        ours = environ.get("HTTP_USER_AGENT") != _OWN
        if ours:
            self.asked.append(Request(method, key, int(begin), int(last) + 1))
        if ours and self.refuse:
            self.refuse -= 1
            start("503 Slow Down", [("content-length", "0")])
            return [b""]
        if ours and method == "GET" and key and self.before_get:
            self.before_get(key)
        body = _APP(environ, start)
        if ours and method == "GET" and key and self.cut:
            self.cut -= 1
            whole = b"".join(body)
            return [whole[: len(whole) // 2]]
        return body


_APP = DomainDispatcherApplication(create_backend_app)


@contextmanager
def storing() -> Iterator[Storage]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    storage = Storage()
    server = make_server("127.0.0.1", 0, storage, threaded=True)
    storage.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield storage
    finally:
        server.shutdown()
        thread.join()
